// node-driver drives Pebbles for Delphis. Delphis starts it; by hand: DELPHIS_DRIVER_ENDPOINT=unix:///tmp/d.sock

import { main } from './host/server.js';
import { driver } from './pebble/driver.js';

process.exit(await main(driver, {
  name: 'dev.delphis.example-node', version: '0.1.0', vendor: 'example', model: 'pebble-node',
}));
