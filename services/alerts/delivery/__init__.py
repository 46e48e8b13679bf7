"""Delivery: receivers are told what happens to alerts, at least once and in order, and none waits for another.

- `delivery`: a lane for each address of each receiver; `lane`: what it does; `plan`: what follows from events;
  `progress`: telling, and keeping how far that went
- `standing`, `matching`, `silencing`: who is told what
- `webhook`, `alertmanager`, `kafka`, `log_lines`: the kinds of receivers; `services.outbound` speaks to them
- `service`: DeliveryService; `receiver_checks`, `receiver_secrets`: what it takes
- `receiver_records`, `lane_records`, `silence_records`, `event_log`: the store
"""
