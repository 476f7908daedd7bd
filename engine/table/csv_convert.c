#include "engine/table/csv_convert.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/text.h"
#include "engine/table/datetime.h"

enum { LOOK_FIRST = 64, GUESS_FIRST = 1000 };

static const char *text_of(const rfi_dict *dict, int32_t code, size_t *length)
{
    *length = (size_t)(dict->offsets[code + 1] - dict->offsets[code]);
    return dict->bytes + dict->offsets[code];
}

/* ---- numbers in a dictionary --------------------------------------------------------------- */

static void look_at_text(rfi_text_numbers *out, const rfi_dict *dict, int32_t code, char point)
{
    size_t length;
    const char *text = text_of(dict, code, &length);
    double value = NAN;
    rfi_number_facts facts = out->facts;
    const rfi_number_class class = rfi_number_parse_slow(text, length, point, &value, &facts);
    out->plain[code] = class == RFI_NUMBER;
    out->values[code] = value;
    if (class == RFI_NUMBER) {
        out->facts = facts;
        out->n_plain++;
        out->least = value < out->least ? value : out->least;
        out->most = value > out->most ? value : out->most;
    } else if (class == RFI_NUMBER_INFINITE) {
        if (out->n_infinite++ == 0)
            out->first_infinite = code;
    } else {
        out->n_strays++;
    }
}

rf_code rfi_find_numbers(rfi_text_numbers *out, const rfi_dict *dict, char point, rf_error *err)
{
    rf_code rc = RF_OK;
    *out = (rfi_text_numbers){.facts = RFI_NUMBER_FACTS_NONE, .least = INFINITY, .most = -INFINITY};
    RF_TRY(RF_NEW_ARRAY(&out->values, dict->n, "the texts of a column", err));
    RF_TRY(RF_NEW_ARRAY(&out->plain, dict->n, "the texts of a column", err));
    for (int32_t code = 0; code < dict->n; code++) {
        look_at_text(out, dict, code, point);
        if (code == LOOK_FIRST && !out->n_plain)
            break; /* a column of texts: what comes later changes nothing */
    }
out:
    return rc;
}

void rfi_text_numbers_free(rfi_text_numbers *numbers)
{
    rf_free(numbers->values);
    rf_free(numbers->plain);
    *numbers = (rfi_text_numbers){0};
}

/* ---- missing cells ------------------------------------------------------------------------- */

/* The codes that remain when the quoted tokens leave; theirs become RFI_CODE_TOKEN(j). */
static void drop_quoted_tokens(rfi_dict *dict, int32_t *map)
{
    for (int32_t code = 0; code < dict->n; code++)
        map[code] = 0;
    for (int32_t j = 0; j < dict->tokens->n; j++)
        if (dict->quoted_tokens[j])
            map[dict->quoted_tokens[j] - 1] = RFI_CODE_TOKEN(j);
    int32_t kept = 0;
    int64_t used = 0;
    for (int32_t code = 0; code < dict->n; code++) {
        const int64_t begin = dict->offsets[code], length = dict->offsets[code + 1] - begin;
        if (map[code] < 0)
            continue;
        memmove(dict->bytes + used, dict->bytes + begin, (size_t)length);
        dict->offsets[kept] = used;
        map[code] = kept++;
        used += length;
    }
    dict->offsets[kept] = used;
    dict->n = kept;
}

rf_code rfi_take_missing(rfi_column_read *read, int64_t n_rows, bool quoted_too, rf_error *err)
{
    rf_code rc = RF_OK;
    int32_t *map = NULL;
    int32_t *codes = read->codes;
    if (quoted_too && read->dict.quoted_tokens) {
        RF_TRY(RF_NEW_ARRAY(&map, read->dict.n, "a dictionary", err));
        drop_quoted_tokens(&read->dict, map);
        for (int64_t r = 0; r < n_rows; r++)
            if (codes[r] >= 0) {
                codes[r] = map[codes[r]];
                read->facts.n_quoted_missing += codes[r] < 0;
            }
    }
    if (!read->dict.has_tokens && !map) {
        read->facts.missing[0] += read->facts.n_uncoded;
        goto out;
    }
    for (int64_t r = 0; r < n_rows; r++)
        if (codes[r] < 0) {
            read->facts.missing[-1 - codes[r]]++;
            codes[r] = RFI_CODE_EMPTY;
        }
out:
    rf_free(map);
    return rc;
}

/* ---- codes to values ----------------------------------------------------------------------- */

static rf_code replace_codes(rfi_column_read *read, int64_t n_rows, const double *by_code, rf_error *err)
{
    double *values = NULL;
    const rf_code rc = RF_NEW_ARRAY(&values, n_rows, "a column of numbers", err);
    if (rc != RF_OK)
        return rc;
    for (int64_t r = 0; r < n_rows; r++)
        values[r] = read->codes[r] < 0 ? NAN : by_code[read->codes[r]];
    rf_free(read->codes);
    read->codes = NULL;
    read->values = values;
    rfi_dict_free(&read->dict);
    return RF_OK;
}

rf_code rfi_texts_to_numbers(rfi_column_read *read, int64_t n_rows, const rfi_text_numbers *numbers,
                             rf_error *err)
{
    return replace_codes(read, n_rows, numbers->values, err);
}

/* The offset of most texts is the first one's; cells with another are counted. */
static void note_offsets(rfi_column_read *read, int64_t n_rows, const int32_t *offsets, const double *by_code)
{
    rfi_cell_facts *facts = &read->facts;
    facts->offsets = (rfi_strays){.first_row = INT64_MAX};
    facts->first_offset_row = INT64_MAX;
    for (int64_t r = 0; r < n_rows; r++) {
        const int32_t code = read->codes[r];
        if (code < 0 || isnan(by_code[code]))
            continue;
        if (facts->first_offset_row == INT64_MAX) {
            facts->first_offset_row = r;
            facts->utc_offset_s = offsets[code];
        } else if (offsets[code] != facts->utc_offset_s && facts->offsets.n++ == 0) {
            facts->offsets.first_row = r;
        }
    }
}

rf_code rfi_texts_to_datetimes(rfi_column_read *read, int64_t n_rows, const char *format, bool force,
                               int64_t *n_odd, rf_error *err)
{
    rf_code rc = RF_OK;
    double *by_code = NULL;
    int32_t *offsets = NULL;
    const rfi_dict *dict = &read->dict;
    *n_odd = 0;
    RF_TRY(RF_NEW_ARRAY(&by_code, dict->n, "a column of dates", err));
    RF_TRY(RF_NEW_ARRAY(&offsets, dict->n, "a column of dates", err));
    for (int32_t code = 0; code < dict->n; code++) {
        size_t length;
        const char *text = text_of(dict, code, &length);
        if (!rf_datetime_parse(text, length, format, &by_code[code], &offsets[code]))
            by_code[code] = NAN;
    }
    for (int64_t r = 0; r < n_rows; r++)
        *n_odd += read->codes[r] >= 0 && isnan(by_code[read->codes[r]]);
    if (*n_odd && !force)
        goto out;
    note_offsets(read, n_rows, offsets, by_code);
    RF_TRY(replace_codes(read, n_rows, by_code, err));
out:
    rf_free(by_code);
    rf_free(offsets);
    return rc;
}

/* ---- values to codes ----------------------------------------------------------------------- */

rf_code rfi_numbers_to_texts(rfi_column_read *read, int64_t n_rows, char point, rf_error *err)
{
    rf_code rc = RF_OK;
    const int decimals = read->facts.numbers.min_written == INT32_MAX ? 0 : read->facts.numbers.min_written;
    int32_t *codes = NULL;
    char text[RF_NUMBER_TEXT_MAX];
    RF_TRY(RF_NEW_ARRAY(&codes, n_rows, "a column of numbers", err));
    for (int64_t r = 0; r < n_rows; r++) {
        codes[r] = RFI_CODE_EMPTY;
        if (isnan(read->values[r]))
            continue;
        const size_t length = rf_format_fixed(text, read->values[r], decimals, decimals);
        char *dot = memchr(text, '.', length);
        if (dot)
            *dot = point;
        codes[r] = rfi_dict_code(&read->dict, text, length, text + sizeof text);
    }
    RF_TRY(rfi_dict_check(&read->dict, "of numbers", err));
    rf_free(read->values);
    read->values = NULL;
    read->codes = codes;
    codes = NULL;
out:
    rf_free(codes);
    return rc;
}

int rfi_count_values(const double *values, int64_t n, int most)
{
    double seen[16];
    int n_seen = 0, last = 0;
    for (int64_t r = 0; r < n; r++) {
        const double value = values[r];
        if (value != value || (n_seen && seen[last] == value))
            continue;
        int at = 0;
        while (at < n_seen && seen[at] != value)
            at++;
        if (at == n_seen) {
            if (n_seen == most)
                return most + 1;
            seen[n_seen++] = value;
        }
        last = at;
    }
    return n_seen;
}

static uint64_t spread(uint64_t bits)
{
    bits *= 0x9E3779B97F4A7C15u;
    return bits ^ bits >> 32;
}

rf_code rfi_values_differ(const double *values, int64_t n, bool *differ, rf_error *err)
{
    rf_code rc = RF_OK;
    double *slots = NULL;
    size_t mask = 63;
    int64_t n_seen = 0;
    *differ = false;
    while (mask < (size_t)n * 2)
        mask = mask * 2 + 1;
    RF_TRY(RF_NEW_ARRAY(&slots, mask + 1, "the values of an id", err));
    for (size_t i = 0; i <= mask; i++)
        slots[i] = NAN;
    for (int64_t r = 0; r < n; r++) {
        if (isnan(values[r]))
            continue;
        uint64_t bits;
        const double value = values[r] + 0.0; /* -0 is 0 */
        memcpy(&bits, &value, sizeof bits);
        size_t at = spread(bits) & mask;
        while (!isnan(slots[at]) && slots[at] != value)
            at = (at + 1) & mask;
        if (slots[at] == value)
            goto out;
        slots[at] = value;
        n_seen++;
    }
    *differ = n_seen > 1;
out:
    rf_free(slots);
    return rc;
}

/* ---- dates --------------------------------------------------------------------------------- */

static bool has_digit(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] >= '0' && text[i] <= '9')
            return true;
    return false;
}

/* A short look first: most columns of texts are no dates, and lists of all texts are large. */
rf_code rfi_guess_datetime(const rfi_dict *dict, const char **format, bool *ambiguous, rf_error *err)
{
    rf_code rc = RF_OK;
    const char **texts = NULL;
    size_t *lengths = NULL;
    *format = NULL;
    for (int64_t n = dict->n < GUESS_FIRST ? dict->n : GUESS_FIRST;; n = dict->n) {
        RF_TRY(RF_NEW_ARRAY(&texts, n, "the texts of a column", err));
        RF_TRY(RF_NEW_ARRAY(&lengths, n, "the texts of a column", err));
        for (int32_t code = 0; code < n; code++) {
            texts[code] = text_of(dict, code, &lengths[code]);
            if (!has_digit(texts[code], lengths[code]))
                goto out;
        }
        const char *found = n ? rf_datetime_guess(texts, lengths, n, ambiguous) : NULL;
        if (!found || n == dict->n) {
            *format = found;
            break;
        }
        rf_free(texts);
        rf_free(lengths);
        texts = NULL;
        lengths = NULL;
    }
out:
    rf_free(texts);
    rf_free(lengths);
    return rc;
}
