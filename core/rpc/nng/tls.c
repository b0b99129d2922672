// TLS configurations from PEM files. A client always checks the server; a server checks clients when it was given an
// authority for them (mutual TLS). Debian's nng speaks TLS 1.2 through mbedTLS.
#include "base/alloc.h"
#include "rpc/nng/parts.h"

#include <stdio.h>

enum { PEM_SIZE_MAX = 1 << 20 };

// A whole PEM file as a string. The caller frees it.
static enum charle_err read_pem(const char *path, char **out, struct charle_error *err)
{
    FILE *file = fopen(path, "re");
    char *text = file ? ch_alloc(PEM_SIZE_MAX + 1) : NULL;
    size_t size = text ? fread(text, 1, PEM_SIZE_MAX + 1, file) : 0;
    if (file)
        fclose(file);
    if (size == 0 || size > PEM_SIZE_MAX) {
        ch_free(text);
        return charle_fail(err, CHARLE_INVALID_ARGUMENT, "the TLS file %s cannot be read, is empty or is above 1 MiB",
                           path);
    }
    text[size] = '\0';
    *out = text;
    return CHARLE_OK;
}

static enum charle_err use_certificate(nng_tls_config *config, const struct ch_transport_options *options,
                                       struct charle_error *err)
{
    char *cert = NULL, *key = NULL;
    enum charle_err rc = read_pem(options->tls_cert_file, &cert, err);
    if (!rc)
        rc = read_pem(options->tls_key_file ? options->tls_key_file : options->tls_cert_file, &key, err);
    int rv = rc ? 0 : nng_tls_config_own_cert(config, cert, key, NULL);
    if (rv)
        rc = ch_nng_fail(err, rv, "the TLS certificate or its key is not usable:", options->tls_cert_file);
    ch_free(cert);
    if (key)
        explicit_bzero(key, strlen(key));
    ch_free(key);
    return rc;
}

static enum charle_err use_authority(nng_tls_config *config, const char *path, struct charle_error *err)
{
    char *chain = NULL;
    enum charle_err rc = read_pem(path, &chain, err);
    int rv = rc ? 0 : nng_tls_config_ca_chain(config, chain, NULL);
    if (rv)
        rc = ch_nng_fail(err, rv, "the TLS authority is not usable:", path);
    ch_free(chain);
    return rc;
}

// A server without an authority lets everybody connect: calls carry tokens. A client always checks the server.
enum charle_err ch_nng_tls_config(nng_tls_mode mode, const struct ch_transport_options *options, nng_tls_config **out,
                                  struct charle_error *err)
{
    static const char system_authorities[] = "/etc/ssl/certs/ca-certificates.crt";
    bool is_client = mode == NNG_TLS_MODE_CLIENT;
    const char *authority = options->tls_ca_file ? options->tls_ca_file : is_client ? system_authorities : NULL;
    int rv = nng_tls_config_alloc(out, mode);
    if (rv)
        return ch_nng_fail(err, rv, "TLS is not", "available");
    enum charle_err rc = CHARLE_OK;
    rv = nng_tls_config_auth_mode(*out, authority ? NNG_TLS_AUTH_MODE_REQUIRED : NNG_TLS_AUTH_MODE_NONE);
    if (!rv && is_client && options->tls_server_name)
        rv = nng_tls_config_server_name(*out, options->tls_server_name);
    if (rv)
        rc = ch_nng_fail(err, rv, "TLS cannot be", "configured");
    if (!rc && authority)
        rc = use_authority(*out, authority, err);
    if (!rc && options->tls_cert_file)
        rc = use_certificate(*out, options, err);
    else if (!rc && !is_client)
        rc = charle_fail(err, CHARLE_INVALID_ARGUMENT, "listening with TLS needs a certificate file and a key file");
    if (rc) {
        nng_tls_config_free(*out);
        *out = NULL;
    }
    return rc;
}

// A dialer knows the host to expect from its address; a configuration of our own has to be told.
enum charle_err ch_nng_tls_dial_config(const char *address, const struct ch_transport_options *options,
                                       nng_tls_config **out, struct charle_error *err)
{
    struct ch_transport_options named = *options;
    char host[CH_ADDRESS_SIZE];
    if (!named.tls_server_name) {
        const char *start = address + strlen("tls+tcp://");
        const char *colon = strrchr(start, ':');
        snprintf(host, sizeof(host), "%.*s", colon ? (int)(colon - start) : (int)strlen(start), start);
        named.tls_server_name = host;
    }
    return ch_nng_tls_config(NNG_TLS_MODE_CLIENT, &named, out, err);
}
