/* html_checker.h - whether a page's tags and attributes are well formed, and what it says. */
#ifndef HTML_CHECKER_H
#define HTML_CHECKER_H

/* What is wrong, and where; NULL when nothing is. */
const char *html_find_fault(const char *page, const char **where);

int html_count(const char *page, const char *part);
void assert_well_formed(const char *page);
void assert_page_has(const char *page, const char *part);
void assert_page_lacks(const char *page, const char *part);

#endif
