/** Fetches what lies beside a package: bills of materials and provenance. */
import { sha256 } from '#schema/digest';
import { MAX_DOCUMENT_BYTES, type PackageDocument } from '#schema/document';
import { IcepkgError } from '#schema/error';
import { withMirrors, type ClientContext } from './mirrors.ts';
import { getBytes, networkError, type Transport } from './transport.ts';

/** @throws IcepkgError `network-failed`, or `package-corrupt` where no mirror has the one that the index names */
export async function fetchDocument(
  context: ClientContext,
  mirrors: readonly Transport[],
  document: PackageDocument,
): Promise<Uint8Array> {
  const path = document.path.split('/').map(encodeURIComponent).join('/');
  return withMirrors(context, mirrors, document.path, async (mirror) => {
    const limit = Math.min(document.size, MAX_DOCUMENT_BYTES);
    const bytes = await getBytes(mirror, path, limit, context.signal);
    if (bytes === undefined) throw networkError(`${mirror.addressOf(path)}: not found`);
    if (bytes.length === document.size && sha256(bytes) === document.sha256) return bytes;
    throw new IcepkgError('package-corrupt', `${mirror.addressOf(path)}: not the file that the index names`, {
      hint: 'Tell the operator of the mirror, or name another one in etc/icepkg/repositories.toml',
    });
  });
}
