/* From the pattern a tree is made (parse_…), from the tree a program (emit), and match runs it:
 *
 *     a(b|c)*      0 SET a    1 SPLIT 2,6   2 SPLIT 3,4   3 SET b (then 5)   4 SET c   5 JUMP 1   6 MATCH
 *
 * A counted repetition repeats its part of the program, which is why programs have a largest size. */
#include "engine/quality/fullmatch.h"

#include <stdint.h>
#include <string.h>

#include "core/alloc.h"
#include "core/arena.h"

enum {
    PATTERN_MAX = 2000,
    DEPTH_MAX = 100,
    STATES_MAX = 20000,
    REPEAT_MAX = 10000,
    RANGES_MAX = 64, /* of one set */
    UNLIMITED = -1,
};

typedef struct range {
    uint32_t low, high;
} range;

typedef struct set {
    range ranges[RANGES_MAX];
    int n;
    bool negated;
} set;

typedef enum node_kind {
    NODE_EMPTY,
    NODE_SET,
    NODE_START,
    NODE_END,
    NODE_THEN,
    NODE_EITHER,
    NODE_REPEAT,
} node_kind;

typedef struct node {
    node_kind kind;
    const struct node *left, *right;
    set *set;
    int low, high; /* NODE_REPEAT */
} node;

typedef enum state_kind {
    STATE_SET,
    STATE_SPLIT,
    STATE_JUMP,
    STATE_START,
    STATE_END,
    STATE_MATCH,
} state_kind;

typedef struct state {
    state_kind kind;
    int32_t to, also; /* SPLIT and JUMP */
    const set *set;
} state;

struct rfi_regex {
    rf_arena arena;
    state *states;
    int32_t n_states;
    int32_t *now, *next, *stack; /* (n_states), (n_states), (2 n_states + 1) */
    int64_t *mark;               /* (n_states) the step in which a state was last added */
    int64_t step;
};

typedef struct parser {
    const char *at, *end;
    rf_arena *arena;
    const char *problem; /* the first; parsing goes on to the end without meaning */
    int depth;
} parser;

/* ---- characters ----------------------------------------------------------------------------- */

/* The next code point of valid UTF-8; a stray byte is taken for itself. */
static uint32_t next_char(const char **at, const char *end)
{
    const uint8_t lead = (uint8_t) * (*at)++;
    int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    uint32_t c = more == 3 ? lead & 7 : more == 2 ? lead & 15 : more == 1 ? lead & 31 : lead;
    for (; more > 0 && *at < end && ((uint8_t) * *at & 0xC0) == 0x80; more--)
        c = c << 6 | ((uint8_t) * (*at)++ & 63);
    return c;
}

static bool set_holds(const set *s, uint32_t c)
{
    bool found = false;
    for (int i = 0; i < s->n && !found; i++)
        found = c >= s->ranges[i].low && c <= s->ranges[i].high;
    return found != s->negated;
}

static void set_add(parser *p, set *s, uint32_t low, uint32_t high)
{
    if (s->n == RANGES_MAX)
        p->problem = "the regex has a set of too many parts";
    else
        s->ranges[s->n++] = (range){low, high};
}

/* \d, \w, \s, or with `negated` what they leave out. */
static void set_add_class(parser *p, set *s, char class, bool negated)
{
    static const range digits[] = {{'0', '9'}}, blanks[] = {{'\t', '\r'}, {' ', ' '}};
    static const range letters[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {128, 0x10FFFF}};
    const range *from = class == 'd' ? digits : class == 's' ? blanks : letters;
    const int n = class == 'd' ? 1 : class == 's' ? 2 : 5;
    uint32_t gap = 0;
    for (int i = 0; i < n; i++) {
        if (!negated)
            set_add(p, s, from[i].low, from[i].high);
        else if (from[i].low > gap)
            set_add(p, s, gap, from[i].low - 1);
        gap = from[i].high + 1;
    }
    if (negated && gap <= 0x10FFFF)
        set_add(p, s, gap, 0x10FFFF);
}

/* ---- pattern to tree ------------------------------------------------------------------------ */

static const node *parse_either(parser *p);

static bool more(const parser *p)
{
    return p->at < p->end && !p->problem;
}

static const node *make(parser *p, node value)
{
    node *made = RF_ARENA_NEW(p->arena, node);
    if (!made) {
        p->problem = "out of memory"; /* the arena's check reports it */
        static const node empty = {.kind = NODE_EMPTY};
        return &empty;
    }
    *made = value;
    return made;
}

static const node *make_set(parser *p, const set *value)
{
    set *kept = RF_ARENA_NEW(p->arena, set);
    if (!kept)
        return make(p, (node){.kind = NODE_EMPTY});
    *kept = *value;
    return make(p, (node){.kind = NODE_SET, .set = kept});
}

/* After a backslash: adds to the set; returns the character when it is a single one, else UINT32_MAX. */
static uint32_t parse_escape(parser *p, set *s)
{
    if (p->at == p->end) {
        p->problem = "the regex ends in a backslash";
        return UINT32_MAX;
    }
    const uint32_t c = next_char(&p->at, p->end);
    static const char plain[] = "nrtfv", meaning[] = "\n\r\t\f\v";
    const char *found = c && c < 128 ? strchr(plain, (int)c) : NULL;
    if (found)
        return (uint32_t)meaning[found - plain];
    if (c < 128 && c && strchr("dws", (int)c)) {
        set_add_class(p, s, (char)c, false);
        return UINT32_MAX;
    }
    if (c < 128 && c && strchr("DWS", (int)c)) {
        set_add_class(p, s, (char)(c + 32), true);
        return UINT32_MAX;
    }
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        p->problem = "the regex has an escape that is not supported";
    return c;
}

/* One member of a set in brackets, or the low end of a range. */
static uint32_t parse_member(parser *p, set *s)
{
    const uint32_t c = next_char(&p->at, p->end);
    return c == '\\' ? parse_escape(p, s) : c;
}

static const node *parse_brackets(parser *p)
{
    set s = {0};
    s.negated = more(p) && *p->at == '^';
    p->at += s.negated;
    for (bool first = true; more(p) && (first || *p->at != ']'); first = false) {
        const uint32_t low = parse_member(p, &s);
        const bool is_range = p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']';
        uint32_t high = low;
        if (is_range) {
            p->at++;
            high = parse_member(p, &s);
        }
        if (is_range && (low == UINT32_MAX || high == UINT32_MAX || high < low))
            p->problem = "the regex has a range in brackets that is not one";
        else if (low != UINT32_MAX)
            set_add(p, &s, low, high);
    }
    if (p->at == p->end && !p->problem)
        p->problem = "the regex has a bracket that is not closed";
    p->at += more(p);
    return make_set(p, &s);
}

static const node *parse_group(parser *p)
{
    if (p->end - p->at >= 2 && p->at[0] == '?' && p->at[1] == ':')
        p->at += 2;
    else if (more(p) && *p->at == '?')
        p->problem = "the regex has a kind of group that is not supported";
    const node *inside = parse_either(p);
    if (!more(p) && !p->problem)
        p->problem = "the regex has a parenthesis that is not closed";
    p->at += more(p);
    return inside;
}

static const node *parse_atom(parser *p)
{
    set s = {0};
    const char *before = p->at;
    const uint32_t c = next_char(&p->at, p->end);
    if (c == '(')
        return parse_group(p);
    if (c == '[')
        return parse_brackets(p);
    if (c == '^' || c == '$')
        return make(p, (node){.kind = c == '^' ? NODE_START : NODE_END});
    if (c == '\\' && more(p) && (*p->at == 'A' || *p->at == 'Z'))
        return make(p, (node){.kind = *p->at++ == 'A' ? NODE_START : NODE_END});
    if (strchr("*+?", *before) && *before)
        p->problem = "the regex repeats nothing";
    if (c == '.') {
        s.negated = true;
        set_add(p, &s, '\n', '\n');
    } else if (c == '\\') {
        const uint32_t escaped = parse_escape(p, &s);
        if (escaped != UINT32_MAX)
            set_add(p, &s, escaped, escaped);
    } else {
        set_add(p, &s, c, c);
    }
    return make_set(p, &s);
}

static int parse_count(parser *p)
{
    int count = UNLIMITED;
    for (; more(p) && *p->at >= '0' && *p->at <= '9'; p->at++) {
        count = (count < 0 ? 0 : count) * 10 + (*p->at - '0');
        if (count > REPEAT_MAX)
            p->problem = "the regex repeats something too often";
    }
    return count;
}

/* {m}, {m,}, {,n}, {m,n} after the opening brace; anything else is an ordinary brace. */
static bool parse_bounds(parser *p, int *low, int *high)
{
    const char *before = p->at;
    *low = *high = parse_count(p);
    if (more(p) && *p->at == ',') {
        p->at++;
        *high = parse_count(p);
        *low = *low < 0 ? 0 : *low;
    }
    const bool closed = more(p) && *p->at == '}' && *low >= 0;
    p->at = closed ? p->at + 1 : before;
    if (closed && *high >= 0 && *high < *low)
        p->problem = "the regex has a repetition whose bounds are crossed";
    return closed;
}

static const node *parse_repeat(parser *p)
{
    const node *atom = parse_atom(p);
    while (more(p) && *p->at && strchr("*+?{", *p->at)) {
        int low = *p->at == '+', high = *p->at == '?' ? 1 : UNLIMITED;
        const bool brace = *p->at++ == '{';
        if (brace && !parse_bounds(p, &low, &high)) {
            p->at--;
            break;
        }
        if (more(p) && *p->at == '?') /* lazy: the same texts match */
            p->at++;
        else if (more(p) && *p->at == '+')
            p->problem = "the regex has a possessive repetition, which is not supported";
        atom = make(p, (node){.kind = NODE_REPEAT, .left = atom, .low = low, .high = high});
    }
    return atom;
}

static const node *parse_then(parser *p)
{
    const node *all = make(p, (node){.kind = NODE_EMPTY});
    while (more(p) && *p->at != '|' && *p->at != ')')
        all = make(p, (node){.kind = NODE_THEN, .left = all, .right = parse_repeat(p)});
    return all;
}

static const node *parse_either(parser *p)
{
    if (++p->depth > DEPTH_MAX)
        p->problem = "the regex is nested too deeply";
    const node *all = parse_then(p);
    while (more(p) && *p->at == '|') {
        p->at++;
        all = make(p, (node){.kind = NODE_EITHER, .left = all, .right = parse_then(p)});
    }
    p->depth--;
    return all;
}

/* ---- tree to program ------------------------------------------------------------------------ */

/* A full program stays full; create looks at the end. */
static int32_t put(rfi_regex *regex, state value)
{
    if (regex->n_states < STATES_MAX)
        regex->states[regex->n_states++] = value;
    return regex->n_states - 1;
}

static void emit(rfi_regex *regex, const node *n);

static void emit_either(rfi_regex *regex, const node *n)
{
    const int32_t split = put(regex, (state){.kind = STATE_SPLIT});
    regex->states[split].to = regex->n_states;
    emit(regex, n->left);
    const int32_t jump = put(regex, (state){.kind = STATE_JUMP});
    regex->states[split].also = regex->n_states;
    emit(regex, n->right);
    regex->states[jump].to = regex->n_states;
}

static void emit_repeat(rfi_regex *regex, const node *n)
{
    for (int i = 0; i < n->low && regex->n_states < STATES_MAX; i++) {
        const int32_t before = regex->n_states;
        emit(regex, n->left);
        if (regex->n_states == before) /* nothing, however often: (((a{0}){9999}){9999}) would not end */
            break;
    }
    if (n->high == UNLIMITED) {
        const int32_t split = put(regex, (state){.kind = STATE_SPLIT});
        regex->states[split].to = regex->n_states;
        emit(regex, n->left);
        put(regex, (state){.kind = STATE_JUMP, .to = split});
        regex->states[split].also = regex->n_states;
        return;
    }
    for (int i = n->low; i < n->high && regex->n_states < STATES_MAX; i++) {
        const int32_t split = put(regex, (state){.kind = STATE_SPLIT});
        regex->states[split].to = regex->n_states;
        emit(regex, n->left);
        regex->states[split].also = regex->n_states;
    }
}

static void emit(rfi_regex *regex, const node *n)
{
    switch (n->kind) {
    case NODE_EMPTY:
        break;
    case NODE_SET:
        put(regex, (state){.kind = STATE_SET, .set = n->set});
        break;
    case NODE_START:
        put(regex, (state){.kind = STATE_START});
        break;
    case NODE_END:
        put(regex, (state){.kind = STATE_END});
        break;
    case NODE_THEN:
        emit(regex, n->left);
        emit(regex, n->right);
        break;
    case NODE_EITHER:
        emit_either(regex, n);
        break;
    case NODE_REPEAT:
        emit_repeat(regex, n);
        break;
    }
}

/* ---- making and freeing --------------------------------------------------------------------- */

static rf_code compile(rfi_regex *regex, const char **problem, const char *pattern, rf_error *err)
{
    rf_code rc = RF_OK;
    const size_t length = strlen(pattern);
    if (length > PATTERN_MAX) {
        *problem = "the regex is too long";
        return RF_OK;
    }
    parser p = {.at = pattern, .end = pattern + length, .arena = &regex->arena};
    const node *tree = parse_either(&p);
    if (p.at < p.end && !p.problem)
        p.problem = "the regex closes a parenthesis that is not open";
    RF_TRY(rf_arena_check(&regex->arena, "a regular expression", err));
    *problem = p.problem;
    if (p.problem)
        return RF_OK;

    regex->states = RF_ARENA_ARRAY(&regex->arena, state, STATES_MAX);
    RF_TRY(rf_arena_check(&regex->arena, "a regular expression", err));
    emit(regex, tree);
    put(regex, (state){.kind = STATE_MATCH});
    if (regex->n_states == STATES_MAX) {
        *problem = "the regex has too many states";
        return RF_OK;
    }
    regex->now = RF_ARENA_ARRAY(&regex->arena, int32_t, regex->n_states);
    regex->next = RF_ARENA_ARRAY(&regex->arena, int32_t, regex->n_states);
    regex->stack = RF_ARENA_ARRAY(&regex->arena, int32_t, 2 * regex->n_states + 1);
    regex->mark = RF_ARENA_ARRAY(&regex->arena, int64_t, regex->n_states);
    RF_TRY(rf_arena_check(&regex->arena, "a regular expression", err));
out:
    return rc;
}

rf_code rfi_regex_create(rfi_regex **out, const char **problem, const char *pattern, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_regex *regex = NULL;
    *out = NULL;
    *problem = NULL;
    RF_TRY(RF_NEW_ARRAY(&regex, 1, "a regular expression", err));
    rf_arena_init(&regex->arena);
    RF_TRY(compile(regex, problem, pattern, err));
    if (!*problem) {
        *out = regex;
        regex = NULL;
    }
out:
    rfi_regex_free(regex);
    return rc;
}

void rfi_regex_free(rfi_regex *regex)
{
    if (!regex)
        return;
    rf_arena_free(&regex->arena);
    rf_free(regex);
}

/* ---- matching ------------------------------------------------------------------------------- */

/* Adds a state and all that it leads to without a character. */
static int32_t follow(rfi_regex *regex, int32_t *list, int32_t n, int32_t from, bool at_start, bool at_end)
{
    int32_t depth = 0;
    regex->stack[depth++] = from;
    while (depth > 0) {
        const int32_t i = regex->stack[--depth];
        const state *s = &regex->states[i];
        if (regex->mark[i] == regex->step)
            continue;
        regex->mark[i] = regex->step;
        if (s->kind == STATE_SET || s->kind == STATE_MATCH)
            list[n++] = i;
        if (s->kind == STATE_JUMP || s->kind == STATE_SPLIT)
            regex->stack[depth++] = s->to;
        if (s->kind == STATE_SPLIT)
            regex->stack[depth++] = s->also;
        if ((s->kind == STATE_START && at_start) || (s->kind == STATE_END && at_end))
            regex->stack[depth++] = i + 1;
    }
    return n;
}

bool rfi_regex_match(rfi_regex *regex, const char *text, size_t length)
{
    const char *at = text, *end = text + length;
    regex->step++;
    int32_t n = follow(regex, regex->now, 0, 0, true, at == end);
    while (at < end && n > 0) {
        const uint32_t c = next_char(&at, end);
        int32_t n_next = 0;
        regex->step++;
        for (int32_t i = 0; i < n; i++) {
            const state *s = &regex->states[regex->now[i]];
            if (s->kind == STATE_SET && set_holds(s->set, c))
                n_next = follow(regex, regex->next, n_next, regex->now[i] + 1, false, at == end);
        }
        int32_t *swap = regex->now;
        regex->now = regex->next;
        regex->next = swap;
        n = n_next;
    }
    bool matched = false;
    for (int32_t i = 0; i < n; i++)
        matched |= regex->states[regex->now[i]].kind == STATE_MATCH;
    return matched && at == end;
}
