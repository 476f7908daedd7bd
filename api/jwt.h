/* jwt.h - access tokens: JSON Web Tokens signed with HMAC-SHA-256 (RFC 7515, 7519).
 *
 * There is one key and one algorithm. The header of a token is not asked which algorithm it wishes: it must be exactly
 * a header that says HS256, whatever else it says is refused. A token is accepted when its form is canonical, its
 * signature is ours and its claims are what we write: iss, typ, sub, sid, role, iat, exp, with 60 s of tolerance for clocks.
 *
 * Any thread.
 */
#ifndef RF_API_JWT_H
#define RF_API_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/error.h"

typedef struct rf_jwt rf_jwt;

typedef struct rf_claims {
    int64_t user_id;   /* 0: nobody */
    int64_t family_id; /* the family of refresh tokens that the token came with; 0: none */
    bool is_admin;
} rf_claims;

enum { RF_JWT_BYTES_MAX = 8192, RF_JWT_SKEW_S = 60 };

/* Keys shorter than 32 bytes are refused with USAGE. */
rf_code rf_jwt_open(rf_jwt **out, const char *secret, size_t secret_bytes, rf_error *err) RF_MUST_CHECK;
void rf_jwt_close(rf_jwt *jwt);

/* Appends a token that is good for lifetime_s from now_s (seconds since 1970). */
rf_code rf_jwt_issue(const rf_jwt *jwt, const rf_claims *who, int64_t now_s, int64_t lifetime_s, rf_buf *out,
                     rf_error *err) RF_MUST_CHECK;

/* UNAUTHENTICATED with a sentence for the client when anything about the token is not as it must be. */
rf_code rf_jwt_check(const rf_jwt *jwt, const char *token, size_t length, int64_t now_s, rf_claims *out,
                     rf_error *err) RF_MUST_CHECK;

/* The signature alone, for the vectors of the RFC: whether `token` (three parts) is signed with the key. */
bool rf_jwt_signature_holds(const rf_jwt *jwt, const char *token, size_t length);

#endif
