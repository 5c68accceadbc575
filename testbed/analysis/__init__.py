"""What a journal says: bytes by layer, latency, energy, one row per configuration, and verdicts.

Readers only: nothing here opens a socket, a port or a clock. The UE stack, the journal, the
metrics, the terminal table and the report take their layer names from here.

- ``bytes``    the byte layers of a message on the wire: names, order, sum check
- ``energy``   the state-based estimate of a message's energy, with its table of sources
- ``latency``  quantiles in which a lost message is censored at its time-out, never left out
- ``waterfall``  where a message's time goes: steps, set-up and transfer, one-way times
- ``air``      transport blocks and the network's own header compression, modelled
- ``tally``    the running sums of a configuration or a cell
- ``summary``  journal records to one row per configuration, and per cell of a campaign

From there to a verdict, see docs/statistics.md:

- ``measurements``   a run's values in columns
- ``measures``       every figure that a limit can be about: one table
- ``samples``        from a column to values with what is censored and what depends on what
- ``series``         what the order of messages tells: dependence, drift, outliers
- ``statistics``     quantiles, means, shares, their ratios and differences, with intervals
- ``significance``   tests within blocks, between runs, against a bound; Holm
- ``distributions``  the few distributions these need
- ``contrast``       two arms set against each other by one measure
- ``limits``         limits with units, as they stand in a campaign file
- ``verdicts``       fail, warn, pass, inconclusive; when a campaign may stop
- ``comparison``     two runs compared, or why not
- ``answers``        what security costs and what compression saves, with intervals
"""
