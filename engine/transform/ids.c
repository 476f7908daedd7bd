#include "engine/transform/ids.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "core/text.h"

enum {
    NUMBER_DIGITS_MAX = 18, /* 10^18 fits 63 bits        */
    GAP_LEAST = 16,         /* narrower ones are not kept */
    GAP_TRIM = 8,           /* this part of a gap stays unused at each end */
    LAP_DIGITS = 10,        /* of the number that lengthens a text       */
    LAP_ROOM = 32,          /* bytes for that number when it is longer    */
    DENSE_FACTOR = 2,       /* numbers that fill this part of their range run on */
};

/* ------------------------------------------------------------------ a sequence */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* What all ids have before and after a number, in bytes. */
static void find_affixes(const rf_dict *dict, size_t *prefix, size_t *suffix)
{
    size_t length, first_length;
    const char *first = rf_dict_text(dict, 0, &first_length);
    *prefix = *suffix = first_length;
    for (int32_t i = 1; i < dict->n; i++) {
        const char *text = rf_dict_text(dict, i, &length);
        size_t n = 0;
        while (n < *prefix && n < length && text[n] == first[n])
            n++;
        *prefix = n;
        for (n = 0; n < *suffix && n < length && text[length - 1 - n] == first[first_length - 1 - n];)
            n++;
        *suffix = n;
    }
    while (*prefix > 0 && is_digit(first[*prefix - 1]))
        (*prefix)--;
    while (*suffix > 0 && is_digit(first[first_length - *suffix]))
        (*suffix)--;
}

typedef struct number_run {
    uint64_t low, high;
    size_t shortest, longest; /* digits */
    bool zeros;               /* some number begins with a 0 */
} number_run;

/* False when some id is not prefix, 1 to 18 digits, suffix. */
static bool find_run(const rf_dict *dict, size_t prefix, size_t suffix, number_run *out)
{
    *out = (number_run){.low = UINT64_MAX, .shortest = SIZE_MAX};
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        int64_t number;
        const char *text = rf_dict_text(dict, i, &length);
        if (length <= prefix + suffix || length - prefix - suffix > NUMBER_DIGITS_MAX ||
            !is_digit(text[prefix]))
            return false;
        const size_t digits = length - prefix - suffix;
        if (!rf_parse_i64(text + prefix, digits, &number))
            return false;
        out->low = (uint64_t)number < out->low ? (uint64_t)number : out->low;
        out->high = (uint64_t)number > out->high ? (uint64_t)number : out->high;
        out->shortest = digits < out->shortest ? digits : out->shortest;
        out->longest = digits > out->longest ? digits : out->longest;
        out->zeros = out->zeros || (digits > 1 && text[prefix] == '0');
    }
    return true;
}

static uint64_t power_of_ten(size_t n)
{
    uint64_t power = 1;
    for (size_t i = 0; i < n; i++)
        power *= 10;
    return power;
}

/* Numbers can go on above when they fill their range (*dense), or when there is room for as many of the same width. */
static bool learn_sequence(rfi_ids *out, const rf_dict *dict, bool *dense)
{
    size_t prefix, suffix, first_length;
    number_run run;
    if (dict->n == 0)
        return false;
    find_affixes(dict, &prefix, &suffix);
    const char *first = rf_dict_text(dict, 0, &first_length);
    if (prefix > RFI_ID_AFFIX_MAX || suffix > RFI_ID_AFFIX_MAX || prefix + suffix >= first_length ||
        !find_run(dict, prefix, suffix, &run))
        return false;
    if (run.zeros && run.shortest != run.longest)
        return false; /* "7" and "007": no one width */
    *dense = run.high - run.low < (uint64_t)DENSE_FACTOR * (uint64_t)dict->n;
    const bool room = power_of_ten(run.longest) - 1 - run.high >= (uint64_t)dict->n;
    if (!*dense && !room)
        return false;
    out->digits = run.zeros ? (int32_t)run.longest : 1;
    out->next = run.high + 1;
    memcpy(out->prefix, first, prefix);
    memcpy(out->suffix, first + first_length - suffix, suffix);
    return true;
}

/* Numbers that run on go on; others are made between the old ones where there is room, and above where there is not. */
static rf_code learn_make(rfi_ids *out, const rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    bool dense = false, roomy = false;
    const bool can_go_on = learn_sequence(out, dict, &dense);
    if (!dense)
        RF_TRY(rfi_id_template_learn(&out->template, dict, &roomy, err));
    out->is_sequence = can_go_on && !roomy;
out:
    return rc;
}

static size_t make_sequence(const rfi_ids *ids, int64_t row, char *out)
{
    char number[RF_NUMBER_TEXT_MAX];
    const size_t prefix = strlen(ids->prefix), suffix = strlen(ids->suffix);
    const size_t digits = rf_format_i64(number, (int64_t)(ids->next + (uint64_t)row));
    size_t n = prefix;
    memcpy(out, ids->prefix, prefix);
    for (size_t filled = digits; filled < (size_t)ids->digits; filled++)
        out[n++] = '0';
    memcpy(out + n, number, digits);
    n += digits;
    memcpy(out + n, ids->suffix, suffix);
    return n + suffix;
}

/* ------------------------------------------------------------------ the gaps of a template */

static int by_rank(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Wider first, ties by place. */
static int by_width(const void *a, const void *b)
{
    const rfi_id_gap *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int32_t keep_gap(rfi_id_gap *gaps, int32_t n, uint64_t first, uint64_t end)
{
    if (end - first >= GAP_LEAST)
        gaps[n++] = (rfi_id_gap){.first = first, .n = end - first};
    return n;
}

/* `ranks`: n scrambled numbers; sorted here. `gaps` has room for n + 1. Returns how many there are. */
static int32_t list_gaps(rfi_id_gap *gaps, uint64_t *ranks, int32_t n, uint64_t size)
{
    qsort(ranks, (size_t)n, sizeof *ranks, by_rank);
    uint64_t first = 0;
    int32_t n_gaps = 0;
    for (int32_t i = 0; i < n; i++) {
        if (ranks[i] > first)
            n_gaps = keep_gap(gaps, n_gaps, first, ranks[i]);
        first = ranks[i] + 1;
    }
    return keep_gap(gaps, n_gaps, first, size);
}

/* A length beyond the template's that no old id has; 0 when there is none. */
static int32_t find_free_length(const rf_dict *dict, int32_t n_positions)
{
    bool used[RFI_ID_TEXT_MAX - LAP_ROOM] = {0};
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        rf_dict_text(dict, i, &length);
        if (length < sizeof used)
            used[length] = true;
    }
    for (size_t length = (size_t)n_positions + 1 + LAP_DIGITS; length < sizeof used; length++)
        if (!used[length])
            return (int32_t)length;
    return 0;
}

static rf_code learn_gaps(rfi_ids *out, const rf_dict *dict, rf_error *err)
{
    rf_code rc = RF_OK;
    uint64_t *ranks = NULL;
    rfi_id_gap *gaps = NULL;
    int32_t n = 0;
    RF_TRY(RF_NEW_ARRAY(&ranks, dict->n, "the ids of a column", err));
    RF_TRY(RF_NEW_ARRAY(&gaps, (size_t)dict->n + 1, "the ids of a column", err));
    for (int32_t i = 0; i < dict->n; i++) {
        size_t length;
        uint64_t rank;
        const char *text = rf_dict_text(dict, i, &length);
        if (rfi_id_template_rank(&out->template, text, length, &rank))
            ranks[n++] = rfi_permute(rank, out->template.size, out->key);
    }
    const int32_t n_gaps = list_gaps(gaps, ranks, n, out->template.size);
    qsort(gaps, (size_t)n_gaps, sizeof *gaps, by_width);
    for (int32_t i = 0; i < n_gaps && i < RFI_ID_GAPS_MAX; i++) {
        const uint64_t trim = gaps[i].n / GAP_TRIM;
        out->gaps[i] = (rfi_id_gap){.first = gaps[i].first + trim, .n = gaps[i].n - 2 * trim};
        out->n_places += out->gaps[i].n;
        out->n_gaps++;
    }
out:
    rf_free(ranks);
    rf_free(gaps);
    return rc;
}

rf_code rfi_ids_learn(rfi_ids **out, const rf_dict *dict, const rf_field *field, double missing_share,
                      uint64_t seed, uint32_t column, bool *regex_refused, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_ids *ids = NULL;
    RF_TRY(RF_NEW_ARRAY(&ids, 1, "the ids of a column", err));
    const rf_philox_block key =
        rf_philox((rf_draw){.seed = seed, .step = column, .purpose = RF_DRAW_INVERT, .trial = UINT32_MAX}, 1);
    ids->key = (uint64_t)key.word[0] << 32 | key.word[1];
    ids->missing_share = missing_share;
    const bool from_regex = field->regex && rfi_id_template_parse(&ids->template, field->regex);
    *regex_refused = field->regex && !from_regex;
    if (!from_regex) {
        memset(&ids->template, 0, sizeof ids->template);
        RF_TRY(learn_make(ids, dict, err));
    }
    if (!ids->is_sequence) {
        ids->long_length = find_free_length(dict, ids->template.n_positions);
        if (ids->long_length == 0) {
            rc = rf_fail(
                err, RF_INPUT,
                "the ids of column \"%s\" come in too many lengths; give the column another kind (on the "
                "command line: --type)",
                field->label);
            goto out;
        }
        RF_TRY(learn_gaps(ids, dict, err));
    }
    *out = ids;
    ids = NULL;
out:
    rfi_ids_free(ids);
    return rc;
}

void rfi_ids_free(rfi_ids *ids)
{
    rf_free(ids);
}

/* ------------------------------------------------------------------ making ids */

/* The scrambled number at a place. */
static uint64_t at_place(const rfi_ids *ids, uint64_t place)
{
    for (int32_t i = 0; i < ids->n_gaps; i++) {
        if (place < ids->gaps[i].n)
            return ids->gaps[i].first + place;
        place -= ids->gaps[i].n;
    }
    return 0;
}

/* Adds "-lap", filled with zeros to the free length; returns the length. */
static size_t lengthen(const rfi_ids *ids, char *out, size_t length, uint64_t lap)
{
    char number[RF_NUMBER_TEXT_MAX];
    const size_t digits = rf_format_i64(number, (int64_t)lap);
    out[length++] = '-';
    while (length + digits < (size_t)ids->long_length)
        out[length++] = '0';
    memcpy(out + length, number, digits);
    return length + digits;
}

static size_t make_template(const rfi_ids *ids, int64_t row, uint64_t key, char *out)
{
    const uint64_t n = ids->n_gaps > 0 ? ids->n_places : ids->template.size;
    const uint64_t place = rfi_permute((uint64_t)row % n, n, key);
    const uint64_t scrambled = ids->n_gaps > 0 ? at_place(ids, place) : place;
    uint64_t lap = (uint64_t)row / n;
    rfi_id_template_write(&ids->template, rfi_unpermute(scrambled, ids->template.size, ids->key), out);
    if (ids->n_gaps == 0)
        lap++; /* no text of the template is free as it is */
    const size_t length = (size_t)ids->template.n_positions;
    return lap == 0 ? length : lengthen(ids, out, length, lap);
}

size_t rfi_ids_make(const rfi_ids *ids, int64_t row, uint64_t seed, uint32_t column,
                    char out[RFI_ID_TEXT_MAX])
{
    if (ids->is_sequence)
        return make_sequence(ids, row, out);
    const rf_philox_block key =
        rf_philox((rf_draw){.seed = seed, .step = column, .purpose = RF_DRAW_INVERT, .trial = UINT32_MAX}, 0);
    return make_template(ids, row, (uint64_t)key.word[0] << 32 | key.word[1], out);
}

/* ------------------------------------------------------------------ binary form */

static void store_template(const rfi_ids *ids, rf_buf *out)
{
    rf_put_u32(out, (uint32_t)ids->template.n_positions);
    for (int32_t i = 0; i < ids->template.n_positions; i++)
        rf_put_string(out, ids->template.positions[i].chars, (size_t)ids->template.positions[i].n);
    rf_put_u64(out, ids->key);
    rf_put_u32(out, (uint32_t)ids->long_length);
    rf_put_u32(out, (uint32_t)ids->n_gaps);
    for (int32_t i = 0; i < ids->n_gaps; i++) {
        rf_put_u64(out, ids->gaps[i].first);
        rf_put_u64(out, ids->gaps[i].n);
    }
}

void rfi_ids_store(const rfi_ids *ids, rf_buf *out)
{
    rf_put_u8(out, ids->is_sequence);
    rf_put_f64(out, ids->missing_share);
    if (!ids->is_sequence) {
        store_template(ids, out);
        return;
    }
    rf_put_string(out, ids->prefix, strlen(ids->prefix));
    rf_put_string(out, ids->suffix, strlen(ids->suffix));
    rf_put_u32(out, (uint32_t)ids->digits);
    rf_put_u64(out, ids->next);
}

static bool load_position(rfi_id_position *out, rf_reader *reader)
{
    size_t length;
    const char *chars = rf_get_string(reader, &length);
    if (reader->failed || length < 1 || length > sizeof out->chars)
        return false;
    out->n = (int32_t)length;
    memcpy(out->chars, chars, length);
    for (size_t i = 0; i < length; i++)
        if (chars[i] < 0x20 || chars[i] > 0x7e || (i > 0 && chars[i] <= chars[i - 1]))
            return false;
    return true;
}

static bool load_template(rfi_ids *out, rf_reader *reader)
{
    const uint32_t n_positions = rf_get_count(reader, 5);
    if (reader->failed || n_positions < 1 || n_positions > RFI_ID_POSITIONS_MAX)
        return false;
    out->template.n_positions = (int32_t)n_positions;
    for (uint32_t i = 0; i < n_positions; i++)
        if (!load_position(&out->template.positions[i], reader))
            return false;
    rfi_id_template_count(&out->template);
    out->key = rf_get_u64(reader);
    const uint32_t long_length = rf_get_u32(reader), n_gaps = rf_get_count(reader, 16);
    if (reader->failed || n_gaps > RFI_ID_GAPS_MAX || long_length <= n_positions + 1 ||
        long_length >= RFI_ID_TEXT_MAX - LAP_ROOM)
        return false;
    out->long_length = (int32_t)long_length;
    out->n_gaps = (int32_t)n_gaps;
    for (uint32_t i = 0; i < n_gaps; i++) {
        rfi_id_gap *gap = &out->gaps[i];
        gap->first = rf_get_u64(reader);
        gap->n = rf_get_u64(reader);
        if (gap->n < 1 || gap->n > out->template.size || gap->first > out->template.size - gap->n)
            return false;
        out->n_places += gap->n;
        if (out->n_places > out->template.size)
            return false;
    }
    return !reader->failed;
}

static bool load_affix(char *out, rf_reader *reader)
{
    size_t length;
    const char *text = rf_get_string(reader, &length);
    if (reader->failed || length > RFI_ID_AFFIX_MAX || (length > 0 && memchr(text, 0, length)) ||
        rf_utf8_find_invalid(length > 0 ? text : "", length) >= 0)
        return false;
    if (length > 0)
        memcpy(out, text, length);
    return true;
}

static bool load_sequence(rfi_ids *out, rf_reader *reader)
{
    if (!load_affix(out->prefix, reader) || !load_affix(out->suffix, reader))
        return false;
    const uint32_t digits = rf_get_u32(reader);
    out->next = rf_get_u64(reader);
    out->digits = (int32_t)digits;
    return !reader->failed && digits >= 1 && digits <= NUMBER_DIGITS_MAX &&
           out->next <= power_of_ten(NUMBER_DIGITS_MAX);
}

rf_code rfi_ids_load(rfi_ids **out, rf_reader *reader, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_ids *ids = NULL;
    RF_TRY(RF_NEW_ARRAY(&ids, 1, "the ids of a column", err));
    ids->is_sequence = rf_get_u8(reader) != 0;
    ids->missing_share = rf_get_f64(reader);
    const bool fine = ids->is_sequence ? load_sequence(ids, reader) : load_template(ids, reader);
    if (!fine || reader->failed || !(ids->missing_share >= 0.0 && ids->missing_share <= 1.0)) {
        rc = rf_fail(err, RF_CORRUPT, "the transform of this file is damaged: its ids cannot be made");
        goto out;
    }
    *out = ids;
    ids = NULL;
out:
    rfi_ids_free(ids);
    return rc;
}
