import { afterEach, beforeEach, expect, test } from 'vitest';
import { Secret } from '../../../src/core/model/secret.ts';
import { identityUrl, messageOf, openSession } from '../../../src/edge/openstack/api.ts';
import { type FakeKeystone, startFakeKeystone } from './fake-keystone.ts';

let fake: FakeKeystone;

beforeEach(async () => {
  fake = await startFakeKeystone();
});

afterEach(() => fake.close());

const login = () => ({ authUrl: `${fake.url}/v3/`, user: 'admin', password: new Secret('root-pw'), project: 'admin' });

test('takes the URL with and without version', () => {
  expect(identityUrl('http://h:5000')).toBe('http://h:5000/v3');
  expect(identityUrl('http://h:5000/')).toBe('http://h:5000/v3');
  expect(identityUrl('http://h/identity/v3/')).toBe('http://h/identity/v3');
});

test('finds the endpoint of a service and says when there is none', async () => {
  const session = await openSession(fake.connect, login());
  expect(session.endpoint('image')).toBe('http://10.0.0.9:9292');
  expect(() => session.endpoint('container-infra', 'public')).toThrow('no public endpoint of type container-infra');
  session.close();
});

test('requests carry the token; refusals say what was asked and what was said', async () => {
  const session = await openSession(fake.connect, login());
  expect((await session.request('GET', `${fake.url}/v3`, '/users?name=admin')).body).toMatchObject({
    users: [{ id: 'u-admin' }],
  });
  const failing = session.request('PATCH', `${fake.url}/v3`, '/users/x', { user: {} });
  await expect(failing).rejects.toThrow(`PATCH ${fake.url}/v3/users/x answered HTTP 404: no x`);
  session.close();
});

test('reads the sentence out of the shapes services use', () => {
  expect(messageOf({ error: { message: 'a' } })).toBe('a');
  expect(messageOf({ errors: [{ title: 't', detail: 'd' }] })).toBe('d');
  expect(messageOf({ message: 'm' })).toBe('m');
  expect(messageOf('<html><b>503</b>  Service Unavailable</html>')).toBe('503 Service Unavailable');
  expect(messageOf({})).toBe('');
});
