import { type CommandEntry, commands } from './registry.ts';

const run: CommandEntry = {
  name: 'run',
  summary: 'Carry out the stages of a runbook, and go on where an earlier run of it stopped',
  arguments: [['<runbook>', 'a file, or the name of one in playbooks/']],
  mutating: true,
  takes: ['site', 'runbook', 'unreachable', 'failures', 'yes'],
  examples: [
    'deploy run magnum-ahead --plan           every stage and its plan; nothing is changed',
    'deploy run magnum-ahead',
    'deploy run playbooks/mine.yml -e release=2025.1 --yes --approve upgrade',
    'deploy run magnum-ahead --from pull      once more from that stage on',
  ],
  load: () => import('./run.ts'),
};

/** Every command of the tool; tests walk this table. */
export const allCommands: readonly CommandEntry[] = [...commands, run];
