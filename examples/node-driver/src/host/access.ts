// What a driver declares about its access info, applied before the driver sees it.

import type { AccessField } from '../contract/delphis/driver/v1/AccessField.js';
import type { AccessInfo__Output } from '../contract/delphis/type/v1/AccessInfo.js';
import { Problem } from './errors.js';

type Table = Record<string, unknown>;

/** A copy with defaults filled in, or ACCESS_INFO_INCOMPLETE. */
export function completed(given: AccessInfo__Output, fields: AccessField[]): AccessInfo__Output {
  const access = structuredClone(given);
  for (const field of fields) {
    const path = (field.path ?? '').split('.');
    const name = path.pop() ?? '';
    const block = path.reduce<Table | undefined>((found, each) => found?.[each] as Table | undefined, access as Table);
    const value = block?.[name];
    if (value !== undefined && value !== null && value !== '') continue;
    if (field.default_value) {
      // A default for a field makes no block that the operator left out.
      if (block) block[name] = name === 'port' ? Number(field.default_value) : field.default_value;
    } else if (field.required) {
      throw new Problem('ACCESS_INFO_INCOMPLETE',
        `The access info lacks ${field.path} (${field.description}), which the driver needs.`,
        { metadata: { field: field.path ?? '' } });
    }
  }
  return access;
}
