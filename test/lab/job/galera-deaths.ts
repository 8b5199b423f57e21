/** Where a recovery is killed, by kind and number of the step; the most interesting one first. */
export const deaths = [
  'start:after:2',
  'galera-position:after:2',
  'galera-state:after:1',
  'create:after:1',
  'start:before:1',
  'start:after:1',
  'healthy:before:1',
  'galera-synced:before:1',
  'galera-synced:after:1',
  'galera-synced:before:3',
  'galera-check:before:1',
  'stop:after:1',
  'start:before:4',
  'healthy:before:2',
] as const;
