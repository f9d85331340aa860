"""Contract suites that a new plugin inherits, and the fakes that tests of other rooms are built on."""
