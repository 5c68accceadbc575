"""What people look at when a run is over: the terminal's table and the HTML report.

Both read the summary of a run's journal and nothing else of the run's making: they can be made
again from the run directory alone, also for a run that was interrupted.

- ``figures``  how seconds, bytes and joules are written, the same in both
- ``table``    the comparison table for the terminal (rich)
- ``plots``    the report's plots (plotly)
- ``comparison``, ``sections``  the report's sections as HTML, from ``blocks``
- ``html``     elements whose texts are escaped
- ``run``      what the report is made from: a run directory, read
- ``assets``   the page's style sheet and script
- ``page``     the report: one self-contained file, no network
"""
