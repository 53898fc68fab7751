/** DSSE envelopes: a payload with signatures over it and its type (github.com/secure-systems-lab/dsse, version 1.0). */
import * as v from 'valibot';
import { parseJson } from './canonical-json.ts';
import { decode } from './decode.ts';
import { keyId, sign, verify, type PrivateKey, type PublicKey } from './keys.ts';

const Base64 = v.pipe(v.string('expected a string'), v.base64('expected base64'));

const EnvelopeSchema = v.looseObject({
  payloadType: v.string('expected a string'),
  payload: Base64,
  signatures: v.pipe(
    v.array(v.looseObject({ keyid: v.optional(v.string('expected a string')), sig: Base64 })),
    v.maxLength(1024),
  ),
});

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly { readonly keyid: string | undefined; readonly sig: Uint8Array }[];
}

/** The text of an envelope, on one line. Without keys nobody signs it. */
export function sealEnvelope(payloadType: string, payload: Uint8Array, keys: readonly PrivateKey[]): string {
  const message = preAuthentication(payloadType, payload);
  const signatures = keys
    .map((key) => ({
      keyid: keyId(key.public),
      sig: Buffer.from(sign(key, message), 'hex').toString('base64'),
    }))
    .sort((a, b) => (a.keyid < b.keyid ? -1 : 1));
  const text = JSON.stringify({
    payloadType,
    payload: Buffer.from(payload).toString('base64'),
    signatures,
  });
  return `${text}\n`;
}

/** @throws IcepkgError `format-invalid` */
export function readEnvelope(bytes: Uint8Array, what: string): Envelope {
  const { payloadType, payload, signatures } = decode(EnvelopeSchema, parseJson(bytes, what), what);
  return {
    payloadType,
    payload: Buffer.from(payload, 'base64'),
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: Buffer.from(sig, 'base64') })),
  };
}

/** The keys that signed the envelope. A key id is a hint only: each key is tried on each signature. */
export function envelopeSigners(envelope: Envelope, keys: readonly PublicKey[]): PublicKey[] {
  const message = preAuthentication(envelope.payloadType, envelope.payload);
  return keys.filter((key) =>
    envelope.signatures.some(({ sig }) => verify(key, message, Buffer.from(sig).toString('hex'))),
  );
}

/** DSSE's PAE: what is signed, with lengths so that no two pairs of type and payload read the same. */
function preAuthentication(type: string, payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
