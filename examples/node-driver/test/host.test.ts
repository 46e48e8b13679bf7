import assert from 'node:assert/strict';
import { test } from 'node:test';

import { status } from '@grpc/grpc-js';

import { completed } from '../src/host/access.js';
import { codeOf, methods, secretsOf } from '../src/host/contract.js';
import { Problem, asStatus, scrubbed } from '../src/host/errors.js';
import { Lanes } from '../src/host/lanes.js';
import { Secrets } from '../src/host/secrets.js';
import { SettingsError, fromEnvironment } from '../src/host/settings.js';

const OWN = { name: 'dev.x.y', version: '1', vendor: 'v', model: 'm' };

test('settings say what is wrong', () => {
  const endpoint = { DELPHIS_DRIVER_ENDPOINT: 'unix:///x' };
  for (const [wrong, says] of [
    [{}, /ENDPOINT/],
    [{ DELPHIS_DRIVER_ENDPOINT: 'http://a' }, /unix:\/\/\//],
    [{ DELPHIS_DRIVER_ENDPOINT: 'tcp://0.0.0.0:7000' }, /needs TLS/],
    [{ ...endpoint, DELPHIS_DRIVER_TLS_CA: 'ca.pem' }, /all of/],
    [{ ...endpoint, DELPHIS_DRIVER_READY_FD: 'three' }, /READY_FD/],
    [{ ...endpoint, DELPHIS_DRIVER_DRAIN: '0' }, /DRAIN/],
    [{ ...endpoint, DELPHIS_DRIVER_SERVES: 'acme box' }, /SERVES/],
  ] as const) {
    assert.throws(() => fromEnvironment(wrong, OWN), (error) => error instanceof SettingsError && says.test(error.message));
  }
  const found = fromEnvironment({ ...endpoint, DELPHIS_DRIVER_SERVES: '[{"vendor": "acme", "model": "box"}]' }, OWN);
  assert.deepEqual(found.serves, [{ vendor: 'acme', model: 'box' }]);
  assert.equal(found.name, 'dev.x.y');
});

test('codes and deadlines are the contract\'s', () => {
  assert.equal(codeOf('INVALID_USERNAME_OR_PASSWORD'), status.FAILED_PRECONDITION);
  assert.equal(codeOf('ARRAY_BUSY'), status.UNAVAILABLE);
  assert.equal(codeOf('OWNER_EPOCH_STALE'), status.ABORTED);
  assert.equal(methods.find((method) => method.name === 'ListVolumes')?.defaultDeadline, 600_000);
});

test('secrets are those that the contract marks, and are masked while they are held', () => {
  const access = { rest: { host: 'array.example', password: 'p@ss"word' }, extra_attributes: { key: 'sesame-open', volumes: '10000' } };
  const found = secretsOf('delphis.driver.v1.Target', { access_info: access }, new Set(['volumes']));
  assert.deepEqual(found, ['p@ss"word', 'sesame-open']);
  const secrets = new Secrets();
  secrets.add(access, found);
  assert.equal(secrets.scrub('array.example p@ss"word p%40ss%22word sesame-open 10000'), 'array.example *** *** *** 10000');
  const error = scrubbed(new Problem('ARRAY_BUSY', 'busy with p@ss"word', { retryAfter: 2.5 }), secrets);
  assert.equal(asStatus(error).details, 'busy with ***');
  secrets.remove(access);
  assert.equal(secrets.scrub('sesame-open'), 'sesame-open');
});

test('access info is completed or refused', () => {
  const fields = [{ path: 'rest.host', required: true, description: 'host' }, { path: 'rest.port', default_value: '443' }];
  assert.equal(completed({ rest: { host: 'a' } }, fields).rest?.port, 443);
  assert.throws(() => completed({ rest: {} }, fields), (error) => error instanceof Problem && error.reason === 'ACCESS_INFO_INCOMPLETE');
});

test('lanes hold calls of an array back, and no other\'s', async () => {
  const lanes = new Lanes(1, 1), signal = new AbortController().signal;
  const leave = await lanes.enter('a', signal);
  (await lanes.enter('b', signal))();
  const second = lanes.enter('a', signal);
  await assert.rejects(lanes.enter('a', signal), (error) => error instanceof Problem && error.reason === 'DRIVER_OVERLOADED');
  leave();
  (await second)();
  assert.equal(lanes.size, 0);
  const third = await lanes.enter('a', signal), gone = new AbortController(), fourth = lanes.enter('a', gone.signal);
  gone.abort(new Error('gone'));
  await assert.rejects(fourth, /gone/);
  third();
  assert.equal(lanes.size, 0);
});
