/** AWS Signature Version 4, as object stores that speak S3 check it: a pure function of the request. */
import { createHash, createHmac } from 'node:crypto';

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** As it is sent: path and query encoded by `encodeKey` and `encodeURIComponent`. */
  readonly url: URL;
  /** With lower-case names; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  /** Hexadecimal, of the body. */
  readonly sha256: string;
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The headers to send: those given, and those that prove who sends them. */
export function signRequest(
  { method, url, headers, sha256 }: UnsignedRequest,
  of: { readonly credentials: Credentials; readonly region: string; readonly now: Date },
): Record<string, string> {
  const { accessKey, secretKey, sessionToken } = of.credentials;
  const time = of.now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  const day = time.slice(0, 8);
  const signed: Record<string, string> = {
    ...headers,
    host: url.host,
    'x-amz-content-sha256': sha256,
    'x-amz-date': time,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
  };
  const names = Object.keys(signed).sort();
  const query = [...url.searchParams]
    .map(([name, value]) => `${encodeComponent(name)}=${encodeComponent(value)}`)
    .sort()
    .join('&');
  const canonical = [
    method,
    url.pathname,
    query,
    ...names.map((name) => `${name}:${signed[name]?.trim() ?? ''}`),
    '',
    names.join(';'),
    sha256,
  ].join('\n');
  const scope = `${day}/${of.region}/s3/aws4_request`;
  const key = [day, of.region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${secretKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n')).toString('hex');
  return {
    ...signed,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

const encodeComponent = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** A key as the path of an address. */
export const encodeKey = (key: string): string => key.split('/').map(encodeComponent).join('/');
