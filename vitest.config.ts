import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What deploys a whole lab from nothing comes first: all others take the lab that it leaves. */
class DeployFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const deploys = (file: TestSpecification) => file.moduleId.endsWith('/test/lab/main-job.test.ts');
    return [...sorted.filter(deploys), ...sorted.filter((file) => !deploys(file))];
  }
}

/** Real daemons and nodes: one file at a time, and never beside the unit tests, whose time limits are short. */
const real = {
  globalSetup: 'test/setup.ts',
  testTimeout: 600_000,
  hookTimeout: 2_400_000,
  fileParallelism: false,
};

/** Too long for every change of the code: what fails around a run, whole runbooks, changes under load. */
const long = [
  // What it is about is tried on a real engine by test/engine/way-back.test.ts too, without the load.
  'test/lab/broken-image.test.ts',
  'test/lab/faults-*.test.ts',
  'test/lab/runbook.test.ts',
  'test/lab/load.test.ts',
  'test/lab/rabbitmq.test.ts',
  'test/lab/galera-members.test.ts',
  'test/lab/mariadb-*.test.ts',
  'test/lab/backup.test.ts',
] as const;

export default defineConfig({
  test: {
    // The default leaves one processor idle, which on a machine with two is half of it.
    maxWorkers: '100%',
    sequence: { sequencer: DeployFirst },
    projects: [
      {
        test: {
          name: 'unit',
          // A limit for what hangs, not for what is slow: the processors may be shared with a whole lab.
          testTimeout: 60_000,
          // No test changes what another one imports; loading everything anew for each file costs more than the tests.
          isolate: false,
          include: ['test/unit/**/*.test.ts', 'test/property/**/*.test.ts', 'test/golden/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      { test: { ...real, name: 'engine', include: ['test/engine/**/*.test.ts'], sequence: { groupOrder: 1 } } },
      {
        test: {
          ...real,
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          exclude: [...long],
          sequence: { groupOrder: 2 },
        },
      },
      { test: { ...real, name: 'long', include: [...long], sequence: { groupOrder: 3 } } },
    ],
  },
});
