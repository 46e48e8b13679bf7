// The Pebble's MIB: what a trap announces, and what its bindings are.

import type { ParsedTrap } from '../contract/delphis/driver/v1/ParsedTrap.js';
import type { Trap__Output } from '../contract/delphis/type/v1/Trap.js';
import { type TheAlert, alert } from './resources.js';

const RAISED = '1.3.6.1.4.1.99999.20.1.1';
const CLEARED = '1.3.6.1.4.1.99999.20.1.2';
const CHANGED = '1.3.6.1.4.1.99999.20.1.3'; // something is different: ask the array
const BINDINGS = '1.3.6.1.4.1.99999.20.2.';

export function parseTrap(trap: Trap__Output): ParsedTrap {
  if (trap.trap_oid === CHANGED) return { incomplete: true };
  // Another vendor's, or a newer firmware's.
  if (trap.trap_oid !== RAISED && trap.trap_oid !== CLEARED) return {};
  const found: TheAlert = {};
  for (const binding of trap.varbinds ?? []) {
    if (!binding.oid?.startsWith(BINDINGS)) continue;
    const text = words(binding.octets);
    switch (binding.oid.slice(BINDINGS.length).replace(/\.0$/, '')) {
      case '1': found.seq = text; break;
      case '2': found.code = text; break;
      case '3': found.level = Number(binding.integer ?? 0); break;
      case '4': found.text = text; break;
      case '5': found.object = text; break;
    }
  }
  if (!found.code || !found.object) return { incomplete: true };
  const made = { ...alert(found), occur_time: trap.received_at };
  if (trap.trap_oid === RAISED) return { alerts: [made] };
  return { alerts: [{ ...made, cleared: true, category: 'ALERT_CATEGORY_RECOVERY' }] };
}

/** The text of a binding, if it is one. */
function words(octets: Uint8Array | string | undefined): string | undefined {
  if (!octets || typeof octets === 'string') return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(octets);
    return /[\u0000-\u001f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
