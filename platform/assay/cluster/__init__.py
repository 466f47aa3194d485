"""The cluster: suites on Ray Tune, one cell a trial. The only room that imports Ray."""
