"""The header chain of an IP packet, parsed and built.

On the shelf: `chain` (the records `IpHeader` and `Headers`), `parse` (octets to records, and why a
packet cannot be compressed), `build` (records to octets, with lengths and checksums inferred),
`coverage` (which octets a header CRC covers, in which order), `checksum` (whether the UDP checksum
is right, and whether that says anything).
"""
