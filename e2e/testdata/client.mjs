// Checks of the page's client against a server that is played here: window.clientChecks has them by name. They may run
// side by side, each on an address of its own.
(async () => {
  const { Client } = await import('/js/client.js');
  const { Retry } = await import('/js/retry.js');

  class FakeSocket {
    /** By address, the oldest first. */
    static made = new Map();
    static of(url) {
      return FakeSocket.made.get(url) ?? [];
    }

    sent = [];
    closed = null;
    since = performance.now();

    constructor(url) {
      FakeSocket.made.set(url, [...FakeSocket.of(url), this]);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close(code) {
      this.closed ??= code;
    }

    // What the server does.

    serve(...frames) {
      frames.forEach((frame) => this.onmessage?.({ data: JSON.stringify(frame) }));
    }

    end(code, reason = '') {
      this.onclose?.({ code, reason });
    }

    /** What was asked, heartbeats left out. */
    get asked() {
      return this.sent.filter((frame) => frame.op !== 1);
    }
  }
  window.WebSocket = FakeSocket;
  Math.random = () => 0.999; // every pause is as long as it may be

  const HELLO = { op: 0, d: { heartbeat_interval: 60_000, v: [1], server: 'fake', features: ['resume'] } };
  const ready = (session) => ({
    op: 4,
    d: { session_id: session, user_id: 'ada', resume_token: `${session} 1`, resume_window_ms: 60_000, ice_servers: [], limits: {} },
  });
  const resumed = (token) => ({ op: 6, d: { replayed: 0, resume_token: token, ice_servers: [{ urls: 'turn:there' }] } });
  const event = (s) => ({ op: 100, s, d: { event: 'create', channel: {} } });

  const equal = (got, want, what) => {
    if (JSON.stringify(got) !== JSON.stringify(want)) {
      throw new Error(`${what}: ${JSON.stringify(got)} where ${JSON.stringify(want)} was due`);
    }
  };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const until = async (what, condition, ms = 3_000) => {
    for (const end = performance.now() + ms; !condition(); await pause(5)) {
      if (performance.now() > end) {
        throw new Error(`not in time: ${what}`);
      }
    }
  };
  /** How a promise ended. */
  const outcome = (promise) =>
    promise.then(
      (value) => ({ value }),
      (err) => ({ err: err.name, sent: err.sent, code: err.code }),
    );

  let addresses = 0;
  /** A client with a session that stands, and its sockets. */
  const standing = (session = 's') => {
    const url = `ws://fake/${++addresses}`;
    const client = new Client(url);
    client.start('token');
    const sockets = () => FakeSocket.of(url);
    sockets()[0].serve(HELLO, ready(session));
    /** The next socket, once it is dialled. */
    const next = async (n, ms) => {
      await until(`socket ${n}`, () => sockets().length > n, ms);
      return sockets()[n];
    };
    return { client, first: sockets()[0], next, sockets };
  };

  window.clientChecks = {
    async 'resumes, and repeats what is unanswered'() {
      const { client, first, next } = standing();
      const events = [];
      client.addEventListener('event', (e) => events.push(e.detail.op));
      equal(first.asked.map(({ op }) => op), [3], 'who we are');
      const asked = [20, 15, 20].map((op, i) => outcome(client.request(op, { i })));
      const [a, b, c] = first.asked.slice(1);
      first.serve({ op: 200, id: a.id, d: { op: 20, data: { n: 0 } } }, event(1), event(2));
      first.end(1006);
      equal([client.state.name, client.ready?.session_id], ['waiting', 's'], 'the session stands');
      const late = outcome(client.request(40, { self_mute: true }));

      const second = await next(1, 1_500);
      second.serve(HELLO);
      equal(second.sent, [{ op: 5, d: { v: 1, session_id: 's', resume_token: 's 1', s: 2 } }], 'RESUME');
      const early = outcome(client.request(16, {}));
      second.serve(event(3), { op: 200, id: b.id, d: { op: 15, data: { n: 1 } } });
      equal(second.sent.length, 1, 'frames between RESUME and RESUMED');
      second.serve(resumed('s 2'));
      equal(second.sent.slice(1).map(({ op, d }) => [op, d]), [
        [20, { i: 2 }],
        [40, { self_mute: true }],
        [16, {}],
        [1, { s: 3 }],
      ], 'what follows RESUMED');
      equal(second.sent[1].id, c.id, 'the same id');
      equal(client.ready.ice_servers, [{ urls: 'turn:there' }], 'the new way');
      second.sent.slice(1, 4).forEach(({ op, id }, i) => second.serve({ op: 200, id, d: { op, data: { n: i + 2 } } }));
      second.serve({ op: 200, id: a.id, d: { op: 20, data: { n: 99 } } }); // had come already
      equal((await Promise.all([...asked, late, early])).map(({ value }) => value.n), [0, 1, 2, 3, 4], 'answers');
      equal(events, [100, 100, 100], 'events');

      second.end(1006);
      const third = await next(2, 2_000);
      third.serve(HELLO);
      equal(third.sent[0].d, { v: 1, session_id: 's', resume_token: 's 2', s: 3 }, 'the newest token');
    },

    async 'begins anew when the session is gone'() {
      const { client, first, next } = standing();
      first.serve(event(1));
      const asked = [20, 15, 10].map((op) => outcome(client.request(op, {})));
      first.end(1006);
      const unsent = [20, 10].map((op) => outcome(client.request(op, {})));
      const sessions = [];
      client.addEventListener('state', () => sessions.push(client.ready?.session_id ?? ''));
      const second = await next(1, 1_500);
      second.serve(HELLO, { op: 8, d: { reason: 'unknown' } });
      equal(second.sent.map(({ op }) => op), [5, 3], 'on the same connection');
      equal(sessions.at(-1), '', 'the session is over');
      second.serve(ready('t'));
      equal(sessions.at(-1), 't', 'the next one');
      equal(second.sent.slice(2).map(({ op }) => op), [15, 10], 'what means the same in another session');
      equal(await Promise.all([asked[0], asked[2], unsent[0]]), [
        { err: 'ConnectionLostError', sent: true },
        { err: 'ConnectionLostError', sent: true },
        { err: 'ConnectionLostError', sent: false },
      ], 'what does not');
      second.end(1006);
      const third = await next(2, 2_000);
      third.serve(HELLO);
      equal(third.sent[0].d, { v: 1, session_id: 't', resume_token: 't 1', s: 0 }, 'numbers begin anew');
    },

    async 'knows the close codes'() {
      const stop = [1009, 4001, 4002, 4004, 4007, 4012, 4019].map(async (code) => {
        const { client, first, sockets } = standing();
        const asked = outcome(client.request(20, {}));
        first.end(code, 'because');
        equal([client.state.name, client.ready], ['stopped', null], `after ${code}`);
        equal(await asked, { err: 'ConnectionLostError', sent: true }, `after ${code}`);
        await pause(600);
        equal(sockets().length, 1, `connections after ${code}`);
      });
      const back = [[1000, 5], [1001, 5], [1006, 5], [4009, 5], [4024, 5], [4000, 3], [4003, 3], [4008, 3], [4015, 3], [4023, 3]];
      const again = back.map(async ([code, op]) => {
        const { first, next } = standing();
        first.end(code);
        const second = await next(1, 2_000);
        second.serve(HELLO);
        equal(second.sent[0].op, op, `the first request after ${code}`);
      });
      await Promise.all([...stop, ...again]);
    },

    async 'is refused'() {
      for (const [code, name] of [[1001, 'stopped'], [1009, 'stopped'], [1012, 'waiting'], [9000, 'waiting']]) {
        const { client, first, next } = standing();
        first.end(1006);
        const second = await next(1, 1_500);
        second.serve(HELLO, { op: 201, d: { op: 5, code, reason: 'because' } });
        equal([client.state.name, client.ready?.session_id], [name, name === 'waiting' ? 's' : undefined], `after ${code}`);
        client.stop();
      }
    },

    async 'finds out that the connection is dead'() {
      const { client, first, next } = standing();
      const asked = outcome(client.request(20, {}));
      await pause(1_500);
      first.serve(event(1)); // a sign of life
      await pause(4_000);
      equal(first.closed, null, 'four seconds after a sign of life');
      await until('given up', () => first.closed === 4900, 4_000);
      const second = await next(1, 200);
      second.serve(HELLO, resumed('s 2'));
      second.serve({ op: 200, id: second.sent[1].id, d: { op: 20 } });
      equal(await asked, { value: {} }, 'the answer');
    },

    async 'checks when there is news'() {
      const { client, first, next } = standing();
      client.look();
      equal(first.sent.at(-1), { op: 1, d: { s: 0 } }, 'a heartbeat');
      first.serve({ op: 2, d: {} });
      await pause(2_200);
      equal([first.closed, client.state.name], [null, 'ready'], 'it is answered');
      client.look();
      const asked = performance.now();
      const second = await next(1, 3_500);
      equal(first.closed, 4900, 'the dead one');
      equal(performance.now() - asked > 1_900, true, 'patience');
      second.end(1006);
      client.look();
      await next(2, 200);
    },

    async 'comes back when the server has asked it to'() {
      const { first, next } = standing();
      first.serve({ op: 7, s: 1, d: { reason: 'restart', after_ms: 700 } });
      await pause(100);
      equal(first.closed, null, 'it stays');
      first.end(4015);
      const second = await next(1, 2_500);
      equal(performance.now() - first.since > 795, true, 'the pause');
      second.serve(HELLO, ready('t'));
      second.end(1006);
      await next(2, 600); // chance decides again
    },

    async 'says farewell'() {
      const { client, first, sockets } = standing();
      const asked = outcome(client.request(20, {}));
      client.stop();
      equal([first.closed, client.ready, client.state.name], [1000, null, 'idle'], 'the end');
      equal((await asked).err, 'ConnectionLostError', 'what was unanswered');
      equal(await outcome(client.request(20, {})), { err: 'ConnectionLostError', sent: false }, 'what comes too late');
      await pause(600);
      equal(sockets().length, 1, 'connections');
    },

    async 'does not give up what cannot be resumed'() {
      const { client, first } = standing();
      first.end(1006);
      const url = `ws://fake/${++addresses}`;
      const plain = new Client(url);
      plain.start('token');
      const [socket] = FakeSocket.of(url);
      socket.serve({ ...HELLO, d: { ...HELLO.d, features: [] } }, { ...ready('p'), d: { ...ready('p').d, resume_token: undefined } });
      plain.look();
      await pause(2_500);
      equal(socket.closed, null, 'a connection that is the session');
      socket.end(1006);
      equal(plain.ready, null, 'the session goes with it');
      client.stop();
    },

    async 'backs off'() {
      let runs = 0;
      const retry = new Retry(() => runs++, 200);
      const pauses = [];
      for (let i = 0; i < 5; i++) {
        retry.later(1_000);
        pauses.push(Math.round((retry.at - Date.now()) / 100));
      }
      equal([pauses, runs], [[2, 4, 8, 10, 10], 0], 'ceilings');
      retry.now();
      equal([runs, retry.at], [1, null], 'at once');
      retry.later();
      equal(Math.round((retry.at - Date.now()) / 100), 2, 'short again');
      retry.in(50);
      await pause(20);
      equal(runs, 1, 'not before');
      await until('run', () => runs === 2, 400);
      retry.later();
      retry.cancel();
      await pause(300);
      equal([runs, retry.at], [2, null], 'cancelled');
    },
  };
  return Object.keys(window.clientChecks);
})()
