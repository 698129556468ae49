// The guide's ioredis Sentinel sample, completed into a loop that writes through a failover.
//
// Writes numbered values, records which were acknowledged, and at the end reads every one of them
// back from the primary of that moment. The options given to `new Redis` are the sample's; only
// addresses and passwords come from the command line. See ../README.md for the lines it prints.

'use strict';

const { parseArgs } = require('node:util');
const { setTimeout: pause } = require('node:timers/promises');

const RETRY_MS = 50;
const READ_BACK_KEYS = 500;
const READ_BACK_MS = 30000;

const { values: given } = parseArgs({
  options: {
    help: { type: 'boolean' },
    sentinels: { type: 'string', default: '127.0.0.1:26379' },
    name: { type: 'string', default: 'mymaster' },
    password: { type: 'string' },
    'sentinel-password': { type: 'string' },
    label: { type: 'string', default: 'ioredis' },
    seconds: { type: 'string' },
    'pause-ms': { type: 'string', default: '1' },
    'gap-ms': { type: 'string', default: '300' },
  },
});

const Redis = require('ioredis');

if (given.help) {
  console.log('drill.js --sentinels host:port,... [--name mymaster] [--password X]');
  console.log('  [--sentinel-password Y] [--label L] [--seconds N] [--pause-ms 1] [--gap-ms 300]');
  process.exit(0);
}

const state = { tried: 0, acknowledged: 0, longestGap: 0, errors: {}, stopped: false };

function address(item) {
  const colon = item.lastIndexOf(':');
  return { host: item.slice(0, colon), port: Number(item.slice(colon + 1)) };
}

function connect() {
  const redis = new Redis({
    sentinels: given.sentinels.split(',').map(address),
    name: given.name,
    password: given.password,
    sentinelPassword: given['sentinel-password'],
    db: 0,
    retryStrategy(times) {
      const delay = Math.min(times * 200, 5000);
      return delay;
    },
    reconnectOnError(err) {
      const targetError = 'READONLY';
      if (err.message.includes(targetError)) {
        return true; // Reconnect on READONLY error (failover happened)
      }
      return false;
    },
    maxRetriesPerRequest: 3,
    enableReadyCheck: true,
    connectTimeout: 10000,
    lazyConnect: false,
  });
  redis.on('connect', () => console.error('Connected to Redis master'));
  redis.on('error', (err) => console.error('Redis error:', err.message));
  redis.on('+switch-master', (msg) => {
    console.error('Master switched:', msg);
  });
  return redis;
}

const key = (number) => `drill:${given.label}:${number}`;

function noteError(error) {
  const text = `${error.name}: ${error.message}`;
  state.errors[text] = (state.errors[text] ?? 0) + 1;
}

function noteGap(last, now) {
  state.longestGap = Math.max(state.longestGap, now - last);
  if (now - last >= Number(given['gap-ms'])) {
    console.log(`gap ${last} ${now}`);
  }
}

// Writes 1, 2, 3, ...; a number that was refused is tried again until it is accepted.
async function write(redis) {
  let last = null;
  while (!state.stopped) {
    const number = state.acknowledged + 1;
    state.tried += 1;
    try {
      await redis.set(key(number), number);
    } catch (error) {
      noteError(error);
      await pause(RETRY_MS);
      continue;
    }
    state.acknowledged = number;
    const now = Date.now();
    if (last === null) {
      console.log('ready');
    } else {
      noteGap(last, now);
    }
    last = now;
    await pause(Number(given['pause-ms']));
  }
}

// Counts the acknowledged numbers that the primary of this moment does not hold.
async function countLost(redis) {
  const deadline = Date.now() + READ_BACK_MS;
  let lost = 0;
  let first = 1;
  while (first <= state.acknowledged) {
    const length = Math.min(READ_BACK_KEYS, state.acknowledged - first + 1);
    const numbers = Array.from({ length }, (_, index) => first + index);
    let values;
    try {
      values = await redis.mget(numbers.map(key));
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await pause(RETRY_MS);
      continue;
    }
    lost += numbers.filter((number, index) => values[index] !== String(number)).length;
    first += length;
  }
  return lost;
}

async function main() {
  if (given.seconds === undefined) {
    process.stdin.on('end', () => { state.stopped = true; }).resume();
  } else {
    setTimeout(() => { state.stopped = true; }, Number(given.seconds) * 1000);
  }
  const redis = connect();
  await write(redis);
  const lost = await countLost(redis);
  redis.disconnect();
  console.log(JSON.stringify({
    client: 'ioredis',
    tried: state.tried,
    acknowledged: state.acknowledged,
    lost,
    longest_gap_ms: state.longestGap,
    errors: state.errors,
  }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
