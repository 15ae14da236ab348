// An OpenID provider for the tests: `node oidc_provider.mjs PORT`, in a folder where `oidc-provider` is installed.
// Says `ready` on standard output. Anybody may sign in under any name; every start has new keys.
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.cwd(), 'anywhere.js'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const key = (kind, options, alg) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${Date.now()}`,
});
const secret = { token_endpoint_auth_method: 'client_secret_basic', client_secret: 'not a secret: 100%' };
const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const formats = { 'https://api.example': 'jwt', 'https://opaque.example': 'opaque' };

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'nightly', ...secret, ...machine },
    { client_id: 'sealed', ...secret, ...machine, tls_client_certificate_bound_access_tokens: true },
    { client_id: 'pep', ...secret, grant_types: [], redirect_uris: [], response_types: [] },
    { client_id: 'shop', ...secret, redirect_uris: ['http://127.0.0.1/callback'] },
  ],
  cookies: { keys: ['tests'] },
  jwks: { keys: [key('ec', { namedCurve: 'P-256' }, 'ES256'), key('rsa', { modulusLength: 2048 }, 'RS256')] },
  pkce: { required: () => false },
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'pep' },
    revocation: { enabled: true },
    dPoP: { enabled: true },
    mTLS: {
      enabled: true,
      certificateBoundAccessTokens: true,
      getCertificate: (ctx) => decodeURIComponent(ctx.get('x-client-cert')) || undefined,
    },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        scope: 'read write',
        audience: resource,
        accessTokenFormat: formats[resource],
        accessTokenTTL: 600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

provider.listen(port, '127.0.0.1', () => console.log('ready'));
