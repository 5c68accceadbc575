"""The UE's side of the bench: what a device with an NB-IoT module runs.

On the shelves:

- ``layers.py``   the layers, each mapping a packet down to the wire and up again
- ``stack.py``    which layers a configuration consists of
- ``session.py``  a module socket towards the HSE, keyed where the configuration asks for it
- ``messages.py`` one message sent and its answer awaited: the trace, the bytes, the energy
"""
