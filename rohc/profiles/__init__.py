"""The profiles, one file each: which headers, which sequence number, which formats.

`spec` holds what they have in common, the static and dynamic chains among it; `registry` finds a
profile by its number.
"""
