// The package as somebody gets it: packed, installed into an empty project, imported, and its types used.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;

const CONSUMER = `
import { CloseCode, ConnectionLostError, EntryError, ErrorCode, Livechat, MicrophoneError, Op, RequestError, StoppedError, type Member } from 'mini-livechat';

export async function talk(): Promise<Member[]> {
  const chat = new Livechat({ server: 'https://chat.example.org', music: true });
  const off: () => void = chat.on('speakers', (ids) => console.log(ids.has('ada')));
  chat.on('message', ({ author_name, content }) => console.log(author_name.length + content.length));
  chat.on('state', ({ name, code }) => console.log(name === 'stopped' && code === CloseCode.KICKED));
  // @ts-expect-error there is no such event
  chat.on('nothing', () => {});
  // @ts-expect-error a name is text
  await chat.signInAsGuest(5);
  const { userId } = await chat.signIn('token');
  const { members } = await chat.join('general', { listen: true });
  chat.muted = !chat.muted;
  chat.setVolume(userId, 2);
  try {
    await chat.request(Op.CHANNEL_LIST);
    const { message_id } = await chat.say('hello');
    await chat.history({ before: message_id });
  } catch (err) {
    if (err instanceof RequestError) console.log(err.code === ErrorCode.MUTED, err.retryAfterMs);
    if (err instanceof EntryError) console.log(err.passing);
    if (err instanceof MicrophoneError) console.log(err.problem === 'denied');
    if (err instanceof ConnectionLostError) console.log(err.sent);
    if (err instanceof StoppedError) console.log(err.state.reason);
  }
  chat.leave();
  off();
  return members;
}
`;

const USER = `
import * as livechat from 'mini-livechat';
console.log(JSON.stringify({
  names: Object.keys(livechat).sort(),
  methods: Object.getOwnPropertyNames(livechat.Livechat.prototype).sort(),
  join: livechat.Op.CHANNEL_JOIN,
}));
`;

test('the package can be installed, imported and typed', () => {
  const project = mkdtempSync(join(tmpdir(), 'livechat-pack-'));
  const run = (cwd, command, ...args) => execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    run(here, 'npm', 'pack', '--silent', '--pack-destination', project);
    const [tarball] = readdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"private": true, "type": "module"}');
    run(project, 'npm', 'install', '--offline', '--no-audit', '--no-fund', '--silent', `./${tarball}`);

    const installed = join(project, 'node_modules/mini-livechat');
    assert.match(readFileSync(join(installed, 'LICENSE'), 'utf8'), /^MIT License/);
    assert.match(readFileSync(join(installed, 'README.md'), 'utf8'), /signInAsGuest/);
    assert.ok(!readdirSync(join(installed, 'dist')).some((name) => /^(app|storage|account)\./.test(name)), 'nothing of the page is in it');

    writeFileSync(join(project, 'user.js'), USER);
    const user = JSON.parse(run(project, process.execPath, 'user.js'));
    assert.deepEqual(user.names, ['CloseCode', 'ConnectionLostError', 'EntryError', 'ErrorCode', 'Livechat', 'MicrophoneError', 'Op',
      'RequestError', 'StoppedError']);
    for (const method of ['signIn', 'signInAsGuest', 'signOut', 'join', 'leave', 'hear', 'say', 'history', 'on', 'request', 'muted',
      'deaf', 'speakers', 'channel', 'channels', 'floor']) {
      assert.ok(user.methods.includes(method), method);
    }
    assert.equal(user.join, 11);

    writeFileSync(join(project, 'consumer.ts'), CONSUMER);
    for (const resolution of [['--module', 'esnext', '--moduleResolution', 'bundler'], ['--module', 'nodenext']]) {
      run(project, process.execPath, join(here, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--target', 'es2023',
        '--lib', 'es2023,dom,dom.iterable', ...resolution, 'consumer.ts');
    }
  } finally {
    rmSync(project, { recursive: true });
  }
});
