/** Puts built images where people take them from. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DESCRIPTION, descriptionName, readDescription, type ImageDescription } from './description.ts';

/** Copies out of the cache, each file by rename; what is there already stays. */
export function deliver(kept: string, output: string, description: ImageDescription): void {
  fs.mkdirSync(output, { recursive: true });
  const name = descriptionName(description);
  const sums = `${description.name}.${description.arch}.sha256`;
  const present = fs.existsSync(path.join(output, name)) ? readDescription(output, name).key : '';
  const whole = description.files.every(
    ({ file, size }) => fs.statSync(path.join(output, file), { throwIfNoEntry: false })?.size === size,
  );
  if (present === description.key && whole) return;
  fs.rmSync(path.join(output, name), { force: true });
  for (const { file } of description.files) {
    const aside = path.join(output, `.${file}.new`);
    fs.copyFileSync(path.join(kept, file), aside, fs.constants.COPYFILE_FICLONE);
    fs.renameSync(aside, path.join(output, file));
  }
  fs.writeFileSync(
    path.join(output, sums),
    description.files.map(({ file, sha256: digest }) => `${digest}  ${file}\n`).join(''),
  );
  fs.copyFileSync(path.join(kept, DESCRIPTION), path.join(output, name));
}
