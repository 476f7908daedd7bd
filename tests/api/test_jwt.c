#include "api/jwt.h"

#include "crypto/base64url.h"
#include "crypto/digest.h"

#include "rf_test.h"

static const char secret[] = "0123456789abcdef0123456789abcdef";
enum { NOW = 1700000000 };

static rf_jwt *open_jwt(void)
{
    rf_error err = {0};
    rf_jwt *jwt = NULL;
    assert_ok(rf_jwt_open(&jwt, secret, strlen(secret), &err));
    return jwt;
}

/* A token of any header and claims, signed with our key: what an attacker who had it could write, and what
 * shows that the signature is not all that is looked at. */
static void sign(rf_buf *out, const char *header, const char *claims)
{
    rf_error err = {0};
    char text[1024];
    uint8_t signature[RF_SHA256_BYTES];
    rf_buf_clear(out);
    rf_base64url_encode(text, header, strlen(header));
    rf_buf_printf(out, "%s.", text);
    rf_base64url_encode(text, claims, strlen(claims));
    rf_buf_puts(out, text);
    assert_ok(rf_hmac_sha256(signature, secret, strlen(secret), out->data, out->size_bytes, &err));
    rf_base64url_encode(text, signature, sizeof signature);
    rf_buf_printf(out, ".%s", text);
}

static void refuse(const rf_jwt *jwt, const char *token, size_t length)
{
    rf_error err;
    rf_claims who;
    assert_fails(rf_jwt_check(jwt, token, length, NOW, &who, &err), RF_UNAUTHENTICATED, "token");
    assert_int_equal(who.user_id, 0);
}

static void the_signature_of_rfc_7515_holds(void **state)
{
    (void)state;
    static const char key_text[] =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
        "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    rf_error err = {0};
    char key[64];
    size_t key_bytes = 0;
    rf_jwt *jwt = NULL;
    assert_true(rf_base64url_decode(key, sizeof key, &key_bytes, key_text, strlen(key_text)));
    assert_ok(rf_jwt_open(&jwt, key, key_bytes, &err));
    assert_true(rf_jwt_signature_holds(jwt, token, strlen(token)));
    refuse(jwt, token, strlen(token)); /* its claims are not ours, and its header is written otherwise */
    rf_jwt_close(jwt);
}

static void a_token_of_ours_says_who_it_was_made_for(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_jwt *jwt = open_jwt();
    rf_buf token;
    rf_claims who;
    rf_buf_init(&token);
    assert_ok(rf_jwt_issue(jwt, &(rf_claims){.user_id = 42, .family_id = 7, .is_admin = true}, NOW, 1800,
                           &token, &err));
    assert_ok(rf_jwt_check(jwt, token.data, token.size_bytes, NOW, &who, &err));
    assert_int_equal(who.user_id, 42);
    assert_int_equal(who.family_id, 7);
    assert_true(who.is_admin);
    assert_ok(rf_jwt_check(jwt, token.data, token.size_bytes, NOW + 1859, &who, &err));
    assert_fails(rf_jwt_check(jwt, token.data, token.size_bytes, NOW + 1860, &who, &err), RF_UNAUTHENTICATED,
                 "expired");
    assert_fails(rf_jwt_check(jwt, token.data, token.size_bytes, NOW - 61, &who, &err), RF_UNAUTHENTICATED,
                 "not valid yet");
    rf_buf_free(&token);
    rf_jwt_close(jwt);
}

static void no_changed_byte_goes_unnoticed(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_jwt *jwt = open_jwt();
    rf_buf token;
    rf_buf_init(&token);
    assert_ok(rf_jwt_issue(jwt, &(rf_claims){.user_id = 42}, NOW, 1800, &token, &err));
    for (size_t i = 0; i < token.size_bytes; i++) {
        const char was = token.data[i];
        token.data[i] = was == 'A' ? 'B' : 'A';
        refuse(jwt, token.data, token.size_bytes);
        token.data[i] = was;
        refuse(jwt, token.data, i); /* cut off */
    }
    rf_buf_puts(&token, "=");
    refuse(jwt, token.data, token.size_bytes);
    rf_buf_free(&token);
    rf_jwt_close(jwt);
}

static void a_header_that_asks_for_something_else_is_refused(void **state)
{
    (void)state;
    static const char claims[] =
        "{\"iss\":\"rowforge\",\"typ\":\"access\",\"sub\":\"42\",\"sid\":\"1\",\"role\":\"user\","
        "\"iat\":1700000000,\"exp\":1700001800}";
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"None\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
        "{\"alg\":\"hs256\",\"typ\":\"JWT\"}",
        "{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\",\"typ\":\"JWT\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"../../dev/null\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"jwk\":{}}",
        "{\"alg\":\"HS256\"}",
        "{}",
        "",
    };
    rf_jwt *jwt = open_jwt();
    rf_buf token;
    rf_buf_init(&token);
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        sign(&token, headers[i], claims);
        refuse(jwt, token.data, token.size_bytes);
        *strrchr(token.data, '.') = 0; /* "header.claims." and "header.claims" */
        refuse(jwt, token.data, strlen(token.data));
        token.data[strlen(token.data)] = '.';
    }
    rf_buf_free(&token);
    rf_jwt_close(jwt);
}

static void claims_that_are_not_as_we_write_them_are_refused(void **state)
{
    (void)state;
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    static const char good[] =
        "{\"iss\":\"rowforge\",\"typ\":\"access\",\"sub\":\"42\",\"sid\":\"1\",\"role\":\"user\","
        "\"iat\":1700000000,\"exp\":1700001800}";
    static const struct {
        const char *what, *instead;
    } changes[] = {
        {"\"iss\":\"rowforge\"", "\"iss\":\"other\""},
        {"\"typ\":\"access\"", "\"typ\":\"refresh\""},
        {"\"sub\":\"42\"", "\"sub\":42"},
        {"\"sub\":\"42\"", "\"sub\":\"042\""},
        {"\"sub\":\"42\"", "\"sub\":\"-42\""},
        {"\"sub\":\"42\"", "\"sub\":\"4x\""},
        {"\"sub\":\"42\"", "\"sub\":\"9999999999999999999\""},
        {"\"sub\":\"42\"", "\"sub\":\"42\",\"sub\":\"43\""},
        {"\"role\":\"user\"", "\"role\":\"root\""},
        {"\"exp\":1700001800", "\"exp\":1e99"},
        {"\"exp\":1700001800", "\"exp\":\"1700001800\""},
        {",\"exp\":1700001800", ""},
        {"\"iat\":1700000000", "\"nbf\":1700009999,\"iat\":1700000000"},
        {"\"iat\":1700000000,", ""},
    };
    rf_error err = {0};
    rf_jwt *jwt = open_jwt();
    rf_claims who;
    rf_buf token, claims;
    rf_buf_init(&token);
    rf_buf_init(&claims);
    sign(&token, header, good);
    assert_ok(rf_jwt_check(jwt, token.data, token.size_bytes, NOW, &who, &err));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(good, changes[i].what);
        assert_non_null(at);
        rf_buf_clear(&claims);
        rf_buf_append(&claims, good, (size_t)(at - good));
        rf_buf_puts(&claims, changes[i].instead);
        rf_buf_puts(&claims, at + strlen(changes[i].what));
        sign(&token, header, claims.data);
        refuse(jwt, token.data, token.size_bytes);
    }
    sign(&token, header, "[]");
    refuse(jwt, token.data, token.size_bytes);
    sign(&token, header, "nothing");
    refuse(jwt, token.data, token.size_bytes);
    rf_buf_free(&claims);
    rf_buf_free(&token);
    rf_jwt_close(jwt);
}

static void a_short_key_is_refused(void **state)
{
    (void)state;
    rf_error err;
    rf_jwt *jwt = NULL;
    assert_fails(rf_jwt_open(&jwt, secret, 31, &err), RF_USAGE, "32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_of_rfc_7515_holds),
        cmocka_unit_test(a_token_of_ours_says_who_it_was_made_for),
        cmocka_unit_test(no_changed_byte_goes_unnoticed),
        cmocka_unit_test(a_header_that_asks_for_something_else_is_refused),
        cmocka_unit_test(claims_that_are_not_as_we_write_them_are_refused),
        cmocka_unit_test(a_short_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
