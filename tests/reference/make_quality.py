#!/usr/bin/env python3
"""Makes the golden numbers of tests/engine/quality with the public sdmetrics package (0.32.0).

    python3 -m venv venv && venv/bin/pip install sdmetrics==0.32.0
    venv/bin/python tests/reference/make_quality.py

writes tests/reference/quality/: a seeded table of 300 rows and a synthetic version of it with known faults
(real.csv, synthetic.csv), their metadata.json, and golden.json with every number of both reports, of the
coverage metrics and of the distance to the closest record. With --data FOLDER it also writes the same for
the public tables in FOLDER (golden_students.json, golden_adult.json); the tables themselves are not copied.

The text "NaN" stands for a missing score, as JSON has no number for it.
"""

import argparse
import json
import math
import random
import warnings
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import sdmetrics
from sdmetrics.reports import DiagnosticReport, QualityReport
from sdmetrics.single_column import CategoryCoverage, MissingValueSimilarity, RangeCoverage
from sdmetrics.single_table import NewRowSynthesis
from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

HERE = Path(__file__).resolve().parent / 'quality'
CONTINUOUS = ('numerical', 'datetime')
MODELLED = CONTINUOUS + ('categorical', 'boolean')

METADATA = {
    'METADATA_SPEC_VERSION': 'V1',
    'tables': {
        'members': {
            'primary_key': 'person_id',
            'alternate_keys': ['badge'],
            'columns': {
                'person_id': {'sdtype': 'id', 'regex_format': 'P-[0-9]{5}'},
                'badge': {'sdtype': 'id', 'regex_format': '[A-F]{2}\\d{1,3}(x|yz)?'},
                'joined': {'sdtype': 'datetime', 'datetime_format': '%Y-%m-%d'},
                'last_seen': {'sdtype': 'datetime', 'datetime_format': '%d.%m.%Y %H:%M:%S'},
                'age': {'sdtype': 'numerical', 'range_min': 18, 'range_max': 80},
                'income': {'sdtype': 'numerical'},
                'tax': {'sdtype': 'numerical'},
                'visits': {'sdtype': 'numerical', 'range_is_nullable': False},
                'site': {'sdtype': 'numerical'},
                'rank': {'sdtype': 'numerical'},
                'unused': {'sdtype': 'numerical'},
                'city': {'sdtype': 'categorical'},
                'employer': {'sdtype': 'categorical'},
                'plan': {'sdtype': 'categorical', 'range_values': ['free', 'plus', 'pro', 'team']},
                'level': {'sdtype': 'categorical'},
                'only': {'sdtype': 'categorical'},
                'active': {'sdtype': 'boolean'},
                'consent': {'sdtype': 'boolean'},
            },
        }
    },
}


def make_row(rng, i, faulty):
    """One member. The faulty ones are older, poorer, less correlated, and break a few rules."""
    plan = rng.choices(['free', 'plus', 'pro'], [6, 3, 1] if not faulty else [5, 5, 2])[0]
    level = {'free': 1, 'plus': 2, 'pro': 3}[plan] if rng.random() < (0.9 if not faulty else 0.6) else rng.randint(1, 4)
    age = rng.randint(18, 79) if not faulty else rng.randint(20, 84)
    income = round(12000 + 700 * age + rng.gauss(0, 9000 if not faulty else 15000) + 8000 * level, 2)
    city = rng.choices(['Lyon', 'Köln', 'Porto', 'Gdańsk', 'Lugo, north'], [8, 5, 4, 2, 1])[0]
    if faulty and rng.random() < 0.04:
        city = 'Atlantis'
    employed = rng.random() < 0.8
    joined = date(2015, 1, 1) + timedelta(days=rng.randint(0, 3000 if not faulty else 2500))
    seen = datetime(joined.year, joined.month, joined.day) + timedelta(seconds=rng.randint(0, 10**8))
    return {
        'person_id': f'P-{10000 + i:05d}' if not (faulty and i % 50 == 7) else f'Q-{i}',
        'badge': f'AB{i if not (faulty and i % 60 == 3) else 5}' + ('x' if i % 3 == 0 else ''),
        'joined': '' if rng.random() < (0.1 if not faulty else 0.2) else joined.isoformat(),
        'last_seen': seen.strftime('%d.%m.%Y %H:%M:%S'),
        'age': age,
        'income': '' if not employed else f'{income:.2f}',
        'tax': f'{income * 0.3 + rng.gauss(0, 500):.1f}',
        'visits': '' if rng.random() < 0.15 else rng.randint(0, 20) + 5 * level,
        'site': 7,
        'rank': rng.randint(1, 9) if not faulty else 4,
        'unused': '',
        'city': '' if rng.random() < (0.05 if not faulty else 0.12) else city,
        'employer': f'firm {rng.randint(1, 40)}' if employed else '',
        'plan': plan if not (faulty and i == 11) else 'gold',
        'level': level,
        'only': 'A',
        'active': rng.random() < (0.7 if plan != 'free' else 0.3),
        'consent': '' if rng.random() < 0.1 else rng.random() < 0.5,
    }


def make_tables():
    rng = random.Random(20240611)
    real = pd.DataFrame([make_row(rng, i, False) for i in range(300)])
    synthetic = pd.DataFrame([make_row(rng, i, True) for i in range(260)])
    for i in range(0, 20):  # some rows are plain copies
        for column in real.columns:
            if column not in ('person_id', 'badge'):
                synthetic.loc[200 + i, column] = real.loc[10 * i, column]
    HERE.mkdir(exist_ok=True)
    real.to_csv(HERE / 'real.csv', index=False)
    synthetic.to_csv(HERE / 'synthetic.csv', index=False)
    (HERE / 'metadata.json').write_text(json.dumps(METADATA, indent=1, ensure_ascii=False) + '\n')


def plain(value):
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return 'NaN'
    if isinstance(value, bool) or str(value) in ('True', 'False'):
        return bool(value)
    return float(value) if not isinstance(value, str) else value


def report_rows(report, name):
    return [
        {key: (value if isinstance(value, str) else plain(value)) for key, value in row.items() if key not in ('Error', 'Table')}
        for row in report.get_details(name).to_dict('records')
    ]


def quality(real, synthetic, metadata, table, gated):
    report = QualityReport()
    report.num_rows_subsample = None
    if not gated:
        report.real_correlation_threshold = 0
        report.real_association_threshold = 0
    report.generate({table: real}, {table: synthetic}, metadata, verbose=False)
    scores = dict(zip(report.get_properties()['Property'], report.get_properties()['Score']))
    return report, {
        'overall': plain(report.get_score()),
        'shapes': plain(scores['Column Shapes']),
        'trends': plain(scores['Column Pair Trends']),
        'pairs': report_rows(report, 'Column Pair Trends'),
    }


def dcr_numbers(rows):
    rows = pd.Series(rows).astype(float)
    return {
        'n': len(rows),
        'min': plain(rows.min()),
        'p5': plain(rows.quantile(0.05)),
        'median': plain(rows.median()),
        'mean': plain(rows.mean()),
        'max': plain(rows.max()),
        'zeros': int((rows == 0).sum()),
        'first': [plain(value) for value in rows.head(5)],
    }


def copies(real, synthetic, columns):
    real_rows = set(map(tuple, real[columns].astype(object).where(real[columns].notna(), None).values.tolist()))
    rows = synthetic[columns].astype(object).where(synthetic[columns].notna(), None).values.tolist()
    return sum(tuple(row) in real_rows for row in rows)


def golden(real, synthetic, metadata, dcr_rows=None):
    table, meta = next(iter(metadata['tables'].items()))
    columns = {name: c for name, c in meta['columns'].items() if c['sdtype'] in MODELLED}
    report, gated = quality(real, synthetic, metadata, table, True)
    _, ungated = quality(real, synthetic, metadata, table, False)
    diagnostic = DiagnosticReport()
    diagnostic.generate({table: real}, {table: synthetic}, metadata, verbose=False)
    validity, structure = diagnostic.get_properties()['Score'].tolist()[:2]
    single = {'sdmetrics': sdmetrics.__version__, 'n_real': len(real), 'n_synthetic': len(synthetic)}
    out = {
        **single,
        'shapes': report_rows(report, 'Column Shapes'),
        'gated': gated,
        'ungated': ungated,
        'diagnostic': {
            'overall': plain(diagnostic.get_score()),
            'validity': plain(validity),
            'structure': plain(structure),
            'rows': report_rows(diagnostic, 'Data Validity'),
        },
    }
    rows = []
    for name, column in columns.items():
        r, s = real[name], synthetic[name]
        if column['sdtype'] == 'datetime':
            r, s = (pd.to_datetime(x, format=column['datetime_format']) for x in (r, s))
        metric = RangeCoverage if column['sdtype'] in CONTINUOUS else CategoryCoverage
        coverage = plain(metric.compute(r, s)) if r.notna().any() else 'NaN'
        rows.append({'Column': name, 'coverage': coverage, 'missing': plain(MissingValueSimilarity.compute(r, s))})
    out['columns'] = rows
    out['copies'] = copies(real, synthetic, list(columns))
    single_meta = {'columns': meta['columns']}
    head = synthetic if dcr_rows is None else synthetic.head(dcr_rows)
    out['dcr'] = dcr_numbers(calculate_dcr(head, real, single_meta))
    return out


def read(path):
    return pd.read_csv(path, float_precision='round_trip')  # the default is off by a last bit now and then


def store(name, value):
    (HERE / name).write_text(json.dumps(value, indent=1, ensure_ascii=False) + '\n')


def adult_metadata(table):
    columns = {}
    for name in table.columns:
        numeric = pd.api.types.is_numeric_dtype(table[name])
        columns[name] = {'sdtype': 'numerical' if numeric else 'categorical'}
    return {'METADATA_SPEC_VERSION': 'V1', 'tables': {'adult': {'columns': columns}}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--data', type=Path, help='folder of the public tables')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    make_tables()
    real, synthetic = read(HERE / 'real.csv'), read(HERE / 'synthetic.csv')
    store('golden.json', golden(real, synthetic, METADATA))
    if args.data:
        students = json.loads((args.data / 'student_placements_metadata.json').read_text())
        real = read(args.data / 'student_placements_real.csv')
        synthetic = read(args.data / 'student_placements_synthetic.csv')
        store('golden_students.json', golden(real, synthetic, students))
        real, test = read(args.data / 'adult.csv'), read(args.data / 'adult_test.csv')
        store('golden_adult.json', golden(real, test, adult_metadata(real), dcr_rows=20))


if __name__ == '__main__':
    main()
