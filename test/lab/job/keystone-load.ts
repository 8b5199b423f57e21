import { sleep } from '../command.ts';
import type { Lab } from '../raise.ts';
import { password } from './deploy-command.ts';

/** Somebody who uses Keystone's API all the time, through the virtual address, and tries nothing again. */
export class KeystoneLoad {
  asked = 0;
  readonly failed: string[] = [];
  /** Seconds of the slowest answer. */
  slowest = 0;
  readonly #lab: Lab;
  #stopped = false;
  #clients: Promise<void>[] = [];

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  start(clients = 2): void {
    this.#clients = Array.from({ length: clients }, () => this.#work());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #work(): Promise<void> {
    const body = JSON.stringify(login(password(this.#lab, 'keystone_admin_password')));
    const headers = { 'content-type': 'application/json' };
    while (!this.#stopped) {
      // A login and a list of users: both read the database.
      const issued = await this.#ask('/v3/auth/tokens', 201, { method: 'POST', headers, body });
      const token = issued?.headers.get('x-subject-token');
      for (let n = 0; n < 10 && token && !this.#stopped; n++) {
        await this.#ask('/v3/users', 200, { headers: { 'x-auth-token': token } });
        await sleep(50);
      }
    }
  }

  async #ask(path: string, wanted: number, init: RequestInit): Promise<Response | undefined> {
    const started = performance.now();
    this.asked += 1;
    try {
      const answer = await fetch(`http://${this.#lab.vip}:5000${path}`, {
        ...init,
        signal: AbortSignal.timeout(60_000),
      });
      await answer.text();
      if (answer.status !== wanted) this.failed.push(`${path}: ${answer.status}`);
      return answer;
    } catch (cause) {
      this.failed.push(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
      return undefined;
    } finally {
      this.slowest = Math.max(this.slowest, (performance.now() - started) / 1000);
    }
  }
}

function login(secret: string) {
  const domain = { id: 'default' };
  const user = { name: 'admin', domain, password: secret };
  return {
    auth: { identity: { methods: ['password'], password: { user } }, scope: { project: { name: 'admin', domain } } },
  };
}
