
/* What a person can do with the report beyond reading it. ASCII only. Nothing here is needed to read. */
(function () {
  'use strict';

  /* A dash, "not defined", sorts last in both directions. */
  function key(cell) {
    var text = cell.textContent.replace(/[,%<>]/g, '').trim();
    if (text === '\u2014' || text === '') return null;
    return isNaN(text) ? text.toLowerCase() : Number(text);
  }

  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  }

  function sort(table, index, heading) {
    var sign = heading.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    var rows = Array.from(table.tBodies[0].rows).map(function (row) {
      return { row: row, key: key(row.cells[index]) };
    });
    rows.sort(function (a, b) { return compare(a.key, b.key, sign); });
    rows.forEach(function (item) { table.tBodies[0].appendChild(item.row); });
    table.querySelectorAll('thead th').forEach(function (th) { th.removeAttribute('aria-sort'); });
    heading.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
  }

  function addFilter(table) {
    var input = document.createElement('input');
    input.className = 'filter';
    input.type = 'search';
    input.placeholder = 'Filter by name';
    input.setAttribute('aria-label', 'Filter the rows by column name');
    input.addEventListener('input', function () {
      var wanted = input.value.toLowerCase();
      Array.from(table.tBodies[0].rows).forEach(function (row) {
        var names = Array.from(row.querySelectorAll('th')).map(function (th) {
          var whole = th.querySelector('[title]');
          return whole ? whole.title : th.textContent;
        });
        row.hidden = names.join(' ').toLowerCase().indexOf(wanted) < 0;
      });
    });
    table.parentNode.parentNode.insertBefore(input, table.parentNode);
  }

  document.querySelectorAll('table.sortable').forEach(function (table) {
    table.querySelectorAll('thead th').forEach(function (th, index) {
      var button = document.createElement('button');
      button.type = 'button';
      button.textContent = th.textContent;
      button.addEventListener('click', function () { sort(table, index, th); });
      th.textContent = '';
      th.appendChild(button);
    });
    if (table.tBodies[0].rows.length > 12) addFilter(table);
  });

  /* The three heat maps have the same cells in the same order: pointing at one marks it in all. */
  var readout = document.getElementById('readout');
  var maps = Array.from(document.querySelectorAll('svg.heat')).map(function (svg) {
    return Array.from(svg.querySelectorAll('.c'));
  });
  var marked = -1;
  function mark(index) {
    if (index === marked) return;
    maps.forEach(function (cells) {
      if (marked >= 0) cells[marked].classList.remove('on');
      if (index >= 0) cells[index].classList.add('on');
    });
    marked = index;
    if (index < 0) { readout.textContent = ''; return; }
    var words = ['real', 'synthetic', 'difference'];
    var parts = maps.map(function (cells) {
      var text = cells[index].querySelector('title').textContent;
      var at = text.lastIndexOf(': ');
      return [text.slice(0, at), text.slice(at + 2).replace(/^(correlation|V) /, '')];
    });
    readout.textContent = parts[0][0] + ': ' + parts.map(function (part, i) { return words[i] + ' ' + part[1]; }).join(', ');
  }
  maps.forEach(function (cells) {
    cells.forEach(function (cell, index) {
      cell.addEventListener('pointerenter', function () { mark(index); });
      cell.addEventListener('pointerleave', function () { mark(-1); });
    });
  });

  /* Paper cannot be unfolded. */
  var opened = [];
  window.addEventListener('beforeprint', function () {
    opened = Array.from(document.querySelectorAll('details:not([open])'));
    opened.forEach(function (details) { details.open = true; });
  });
  window.addEventListener('afterprint', function () {
    opened.forEach(function (details) { details.open = false; });
  });
}());
