#include "html_checker.h"

#include "rf_test.h"

enum { DEPTH_MAX = 64, NAME_MAX_BYTES = 32 };

typedef struct checker {
    const char *at;
    char open[DEPTH_MAX][NAME_MAX_BYTES];
    int depth;
    const char *fault;
} checker;

static bool is_void(const char *name)
{
    static const char *const names[] = {"meta", "link", "img", "br", "hr", "input"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static void read_name(checker *c, char name[NAME_MAX_BYTES])
{
    size_t n = 0;
    while (n + 1 < NAME_MAX_BYTES && ((*c->at >= 'a' && *c->at <= 'z') || (*c->at >= 'A' && *c->at <= 'Z') ||
                                      (*c->at >= '0' && *c->at <= '9')))
        name[n++] = *c->at++;
    name[n] = 0;
}

/* Attributes are name="value" or a bare name; none is a handler or a style. True when it closed itself. */
static bool read_attributes(checker *c)
{
    while (*c->at && *c->at != '>' && *c->at != '/') {
        if (*c->at != ' ') {
            c->fault = "text inside a tag";
            return false;
        }
        c->at++;
        if (strncmp(c->at, "on", 2) == 0 || strncmp(c->at, "style", 5) == 0 || strncmp(c->at, "src", 3) == 0)
            c->fault = "an attribute that may not be there";
        c->at += strcspn(c->at, "= >\"<");
        if (*c->at != '=')
            continue;
        if (c->at[1] != '"')
            c->fault = "a value without quotes";
        c->at += 2;
        c->at += strcspn(c->at, "\"<");
        if (*c->at != '"')
            c->fault = "a value that does not end";
        else
            c->at++;
    }
    const bool closed = *c->at == '/';
    c->at += closed;
    if (*c->at != '>')
        c->fault = "a tag that does not end";
    else
        c->at++;
    return closed;
}

static void read_tag(checker *c)
{
    char name[NAME_MAX_BYTES];
    const bool end = c->at[1] == '/';
    c->at += end ? 2 : 1;
    read_name(c, name);
    if (!name[0] || read_attributes(c) || c->fault || is_void(name)) {
        if (!name[0])
            c->fault = "a tag without a name";
        return;
    }
    if (!end) {
        if (c->depth == DEPTH_MAX) {
            c->fault = "too deep";
            return;
        }
        snprintf(c->open[c->depth++], NAME_MAX_BYTES, "%s", name);
        if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0) {
            const char *close = strstr(c->at, "</");
            c->at = close ? close : "";
        }
    } else if (c->depth == 0 || strcmp(c->open[--c->depth], name) != 0)
        c->fault = "an end that nothing opened";
}

/* NULL when every tag is balanced, else what is wrong, and *where begins there. */
const char *html_find_fault(const char *page, const char **where)
{
    checker c = {.at = page};
    static const char doctype[] = "<!DOCTYPE html>";
    if (strncmp(c.at, doctype, sizeof doctype - 1) != 0)
        return "no doctype";
    c.at += sizeof doctype - 1;
    while (*c.at && !c.fault) {
        *where = c.at;
        if (*c.at == '<')
            read_tag(&c);
        else
            c.at++;
    }
    return c.fault ? c.fault : c.depth ? "something stays open" : NULL;
}

void assert_well_formed(const char *page)
{
    const char *where = page, *fault = html_find_fault(page, &where);
    if (fault) {
        print_error("%s at: %.200s\n", fault, where);
        fail();
    }
}

int html_count(const char *page, const char *part)
{
    int n = 0;
    for (const char *at = strstr(page, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

void assert_page_has(const char *page, const char *part)
{
    if (!strstr(page, part)) {
        print_error("the page lacks: %s\n", part);
        fail();
    }
}

void assert_page_lacks(const char *page, const char *part)
{
    const char *at = strstr(page, part);
    if (at) {
        print_error("the page has: %s in: %.120s\n", part, at);
        fail();
    }
}
