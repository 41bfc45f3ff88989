// A real OpenID Connect provider for the tests: whoever comes is the account that the test names, without a page to click through.
// MODULES: the folder of packages; PORT, CLIENT, REDIRECT, ACCOUNT: what the name says.
const { default: Provider } = await import(`${process.env.MODULES}/oidc-provider/lib/index.js`);
const { PORT, CLIENT, SECRET, REDIRECT, ACCOUNT } = process.env;
const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [{
    client_id: CLIENT, client_secret: SECRET || undefined, redirect_uris: [REDIRECT], response_types: ["code"], grant_types: ["authorization_code"],
    token_endpoint_auth_method: SECRET ? "client_secret_basic" : "none", application_type: "web",
  }],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid");
    await grant.save();
    return grant;
  },
});
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith("/interaction/")) return next();
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: ACCOUNT }, consent: {} }, { mergeWithLastSubmission: false });
  ctx.respond = false;
});
provider.listen(Number(PORT), "127.0.0.1", () => console.log("ready"));
