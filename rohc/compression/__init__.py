"""The compressor's inside: from original packets to ROHC packets.

On the shelf: `settings` (what the user chose), `context` (what one CID remembers), `observe` (what
changed between two packets of a flow), `choose` (which packet is due), `encode` (its octets),
`steady` (the hot path for packet type 0). The door is `rohc.compressor`.
"""
