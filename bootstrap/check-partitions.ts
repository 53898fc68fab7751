/** What a list of partitions must be, beside what each of them must be. */
import { IcepkgError } from '#schema/error';
import type { Board, Partition } from './definition-schema.ts';

/** @throws IcepkgError `format-invalid` where two partitions claim the same place or part, or one has no extent */
export function checkPartitions(
  image: string,
  partitions: readonly Partition[],
  table: Board['table'],
): void {
  const refuse = (message: string, hint: string): never => {
    throw new IcepkgError('format-invalid', `${image}: ${message}`, { hint });
  };
  const shapeless = partitions.find(
    ({ type, filesystem, size }) => type !== 'bios' && filesystem === undefined && size === undefined,
  );
  if (shapeless !== undefined)
    refuse(
      `partition ${shapeless.name} has neither a file system nor a size`,
      'Give it a size such as 256M, or a file system',
    );
  const grubs = partitions.filter(({ type }) => type === 'bios');
  const filled = grubs.find(({ filesystem, mount }) => filesystem !== undefined || mount !== undefined);
  if (filled !== undefined)
    refuse(
      `partition ${filled.name} holds GRUB for BIOS, and neither a file system nor a mount`,
      'Leave them out: {name: bios, type: bios}',
    );
  if (grubs.length > 1)
    refuse(`${grubs.map(({ name }) => name).join(' and ')} both hold GRUB for BIOS`, 'One is enough');
  const [grub] = grubs;
  if (grub !== undefined && table === 'mbr')
    refuse(
      `partition ${grub.name} holds GRUB for BIOS, which is for a GPT`,
      'Let the table of the board be gpt',
    );
  const roots = partitions.filter(({ type }) => type === 'root').map(({ name }) => name);
  if (roots.length > 1)
    refuse(`${roots.join(' and ')} are both root partitions`, 'Let all but one be of type data');
  const others = partitions.filter(({ type }) => type !== 'root');
  const whole = others.find(({ mount }) => mount === '/');
  if (whole !== undefined)
    refuse(`partition ${whole.name} is mounted at /, where the root is`, 'Let it be of type root');
  const place = repeated(others.flatMap(({ mount }) => mount ?? []));
  if (place !== undefined) refuse(`two partitions are mounted at ${place}`, 'Mount each somewhere else');
}

const repeated = (names: readonly string[]): string | undefined =>
  names.find((name, index) => names.indexOf(name) !== index);
