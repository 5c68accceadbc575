"""Encoding methods of RFC 3095, one small file per method.

Pure functions and small classes over integers and octets. On the shelf: `crc` (5.9), `wlsb` (4.5.1,
4.5.2), `sdvl` (4.5.6), `ip_id` (4.5.5), `lists` (5.8).
"""
