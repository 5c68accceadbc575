"""The decompressor's inside: from a ROHC packet to the original headers.

On the shelf: `context` (what one CID remembers), `received` (a compressed header taken apart),
`initial` (IR and IR-DYN packets), `reconstruct` (fields to original headers, verified by the CRC),
`repair` and `trial` (SNs when packets are lost or late), `policy` (feedback), `steady` and `hot`
(the hot path for packet type 0). The door is `rohc.decompressor`.
"""
