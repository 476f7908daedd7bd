/* The documentation: what /openapi.json says, for people.
 *
 * With a folder of Swagger UI and ReDoc (script/bootstrap --docs) /docs and /redoc are those, served from here and nowhere
 * else; without it both are the plain page. The pages have no script of their own but files of the folder, so that
 * the policy need not allow any. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/handlers.h"
#include "api/range.h"
#include "api/server_internal.h"

static const char docs_policy[] =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:";

static void reply_document(rfi_call *call, const rfi_document *document, const char *type)
{
    if (document->packed.size_bytes > 0 && rfi_accepts_gzip(rfi_header(call, "Accept-Encoding"))) {
        rfi_reply_constant(call, type, document->packed.data, document->packed.size_bytes,
                           document->packed_etag);
        rfi_reply_header(call, "Content-Encoding", "gzip");
    } else
        rfi_reply_constant(call, type, document->plain.data, document->plain.size_bytes, document->etag);
    rfi_reply_header(call, "Vary", "Accept-Encoding");
}

rf_code rfi_openapi(rfi_call *call, rf_error *err)
{
    (void)err;
    reply_document(call, &call->server->openapi, "application/json");
    return RF_OK;
}

/* The files that a page may ask for: no other name leads to the disk. */
static const struct {
    const char *name, *type;
} assets[] = {
    {"swagger-ui.css", "text/css; charset=utf-8"},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
    {"swagger-start.js", "text/javascript; charset=utf-8"},
    {"redoc.standalone.js", "text/javascript; charset=utf-8"},
    {"redoc-start.js", "text/javascript; charset=utf-8"},
    {"favicon-32x32.png", "image/png"},
};

static int open_asset(const rf_server *server, const char *name, int64_t *size_bytes)
{
    struct stat about;
    const int folder = server->docs_dir ? open(server->docs_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    const int fd = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (folder >= 0)
        close(folder);
    if (fd >= 0 && (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))) {
        close(fd);
        return -1;
    }
    *size_bytes = fd < 0 ? 0 : about.st_size;
    return fd;
}

rf_code rfi_docs_asset(rfi_call *call, rf_error *err)
{
    const char *name = rfi_path_text(call, 0);
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
        int64_t size_bytes;
        if (strcmp(assets[i].name, name) != 0)
            continue;
        const int fd = open_asset(call->server, name, &size_bytes);
        if (fd < 0)
            break;
        rfi_reply_file(call, fd, size_bytes, assets[i].type);
        return RF_OK;
    }
    return rf_fail(err, RF_NOT_FOUND, "there is no such file");
}

static bool reply_page(rfi_call *call, const char *name)
{
    int64_t size_bytes;
    const int fd = open_asset(call->server, name, &size_bytes);
    call->reply.policy = docs_policy;
    if (fd < 0)
        return false;
    rfi_reply_file(call, fd, size_bytes, "text/html; charset=utf-8");
    return true;
}

rf_code rfi_docs(rfi_call *call, rf_error *err)
{
    (void)err;
    if (!reply_page(call, "swagger.html"))
        reply_document(call, &call->server->docs_page, "text/html; charset=utf-8");
    return RF_OK;
}

rf_code rfi_redoc(rfi_call *call, rf_error *err)
{
    (void)err;
    if (!reply_page(call, "redoc.html"))
        reply_document(call, &call->server->docs_page, "text/html; charset=utf-8");
    return RF_OK;
}
