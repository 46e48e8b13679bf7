"""What a process works on, for its log and for calls that it makes; and spans, where they are wanted.

- `scope`: request, storage, driver and trace of the work at hand
- `spans`: OpenTelemetry's spans around it; off unless the environment asks for them
- `exporting`: how they leave; loaded only then

The host of a driver and Delphis' own processes use it alike. Drivers need not.
"""
