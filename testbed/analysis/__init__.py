"""What a journal says: bytes by layer, latency, energy, and one row per configuration.

Readers only: nothing here opens a socket, a port or a clock. The UE stack, the journal, the
metrics, the terminal table and the report take their layer names from here.

- ``bytes``    the byte layers of a message on the wire: names, order, sum check
- ``energy``   the state-based estimate of a message's energy, with its table of sources
- ``latency``  quantiles in which a lost message is censored at its time-out, never left out
- ``waterfall``  where a message's time goes: steps, set-up and transfer, one-way times
- ``air``      transport blocks and the network's own header compression, modelled
- ``tally``    the running sums of a configuration or a cell
- ``summary``  journal records to one row per configuration, and per cell of a campaign
"""
