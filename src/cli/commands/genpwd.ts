import { join } from 'node:path';
import { type ExitCode, exitCode } from '../../core/model/diagnostic.ts';
import { parseServiceFile } from '../../core/schema/service-file.ts';
import { generatePasswords } from '../../edge/store/genpwd.ts';
import { readServiceFiles } from '../../edge/store/read-site.ts';
import { changeOptions, type Invocation } from '../invocation.ts';
import { programDirectory, unwrap } from '../site.ts';

export async function run({ options: raw, output }: Invocation): Promise<ExitCode> {
  const options = changeOptions(raw);
  const texts = unwrap(
    await readServiceFiles(join(programDirectory, 'services'), options.configdir),
    output,
    exitCode.badInput,
  );
  const services = texts.map(({ text, file }) => unwrap(parseServiceFile(text, file), output, exitCode.badInput));
  const file = join(options.configdir, 'passwords.yml');
  const filled = unwrap(await generatePasswords(file, services), output, exitCode.badInput);
  if (output.json) output.data({ file, filled });
  else output.line(filled.length === 0 ? `${file}: nothing to fill` : `${file}: filled ${filled.join(', ')}`);
  return exitCode.ok;
}
