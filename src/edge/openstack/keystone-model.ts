import type { Secret } from '../../core/model/secret.ts';
import type { Fields } from './api.ts';

/** The `identity` section of a service definition with its expressions evaluated. */
export interface WantedIdentity {
  readonly services: readonly {
    readonly name: string;
    readonly type: string;
    readonly description: string;
    readonly endpoints: { readonly internal: string; readonly public: string };
  }[];
  readonly roles: readonly string[];
  readonly domains: readonly { readonly name: string; readonly description: string }[];
  readonly projects: readonly { readonly name: string; readonly domain: string }[];
  readonly users: readonly {
    readonly name: string;
    readonly password: Secret;
    readonly domain: string;
    readonly project?: string | undefined;
    readonly roles: readonly string[];
    readonly domain_roles: readonly string[];
  }[];
  readonly grants: readonly { readonly user: string; readonly project: string; readonly role: string }[];
}

/** Keystone as the parts of this folder use it: lists, writes, and the sentences about what was written. */
export interface Keystone {
  readonly changes: string[];
  readonly region: string;
  list(path: string, key: string): Promise<readonly Listed[]>;
  /** Returns the object inside the answer's envelope, `{"user": {…}}`. */
  write(method: 'POST' | 'PATCH' | 'PUT', path: string, body?: Fields, secrets?: readonly Secret[]): Promise<Listed>;
  passwordOf(userId: string, password: Secret): Promise<boolean>;
}

export interface Listed extends Fields {
  readonly id: string;
  readonly name: string;
}
