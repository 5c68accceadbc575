"""The packet formats, each declared once, as the RFC's own figure.

Whoever has the RFC open finds each figure here in its words and order; compressor and decompressor
both read it. On the shelf: `figure` (how a figure becomes octets and back), `base` (packet types 0,
1 and 2), `extensions` (extensions 0 to 3), `parts` (static and dynamic parts of each header).
"""
