/* html_svg.c - the few shapes that the report's drawings are made of. */
#include "engine/quality/html_page.h"

/* ` name="number"` */
static void attribute(rf_buf *out, const char *name, double value)
{
    rf_buf_printf(out, " %s=\"", name);
    rfi_html_number(out, value);
    rf_buf_puts(out, "\"");
}

void rfi_svg_box(rf_buf *out, const char *class_name, double x, double width, double y, double height)
{
    rf_buf_printf(out, "<rect class=\"%s\"", class_name);
    attribute(out, "x", x);
    attribute(out, "y", y);
    attribute(out, "width", width);
    attribute(out, "height", height);
}

void rfi_svg_text(rf_buf *out, const char *class_name, double x, double y, const char *text)
{
    rf_buf_printf(out, "<text class=\"%s\"", class_name);
    attribute(out, "x", x);
    attribute(out, "y", y);
    rf_buf_puts(out, ">");
    rfi_html_puts(out, text);
    rf_buf_puts(out, "</text>");
}

static void begin_line(rf_buf *out, const char *class_name, double x, double y)
{
    rf_buf_printf(out, "<path class=\"%s\" d=\"M", class_name);
    rfi_html_number(out, x);
    rf_buf_puts(out, " ");
    rfi_html_number(out, y);
}

void rfi_svg_across(rf_buf *out, const char *class_name, double x1, double x2, double y)
{
    begin_line(out, class_name, x1, y);
    rf_buf_puts(out, "H");
    rfi_html_number(out, x2);
    rf_buf_puts(out, "\"/>");
}

void rfi_svg_down(rf_buf *out, const char *class_name, double x, double y, double down)
{
    begin_line(out, class_name, x, y);
    rf_buf_puts(out, "v");
    rfi_html_number(out, down);
    rf_buf_puts(out, "\"/>");
}

void rfi_svg_name(rf_buf *out, const char *name, size_t length, double width)
{
    if (rfi_html_width(name, length) <= width) {
        rfi_html_text(out, name, length);
        return;
    }
    rf_buf_puts(out, "<title>");
    rfi_html_cut(out, name, length, RFI_TITLE_BYTES_MAX);
    rf_buf_puts(out, "</title>");
    rfi_html_text(out, name, rfi_html_fit(name, length, width - 1));
    rf_buf_puts(out, "…");
}

void rfi_html_two_shares(rf_buf *out, double real, double synthetic)
{
    rf_buf_puts(out, "real ");
    rfi_html_share(out, real);
    rf_buf_puts(out, ", synthetic ");
    rfi_html_share(out, synthetic);
}
