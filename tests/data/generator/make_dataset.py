#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""Synthetic stand-in for the Jmoji v3/v4 data: casual Japanese text -> 1-5 emojis.

Sources: CLDR Japanese annotations (names/keywords, Unicode licence) and the
hand-written phrases in lexicon_ja.py.  No text of the original data is used.
Deterministic: same options -> same bytes.  Needs only the standard library.

The emoji inventory and its frequency ranks are fixed (independent of --seed), so
two seeds are two samples of one distribution; --seed drives rows and wording.
"""
import argparse, json, math, os, random, re, sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lexicon_ja as L

CLDR = '/usr/share/unicode/cldr/common'
EMOJI_TEST = '/usr/share/unicode/emoji/emoji-test.txt'
TOP10 = list(zip('🎵 📚 🎉 🎤 🏆 😅 😊 ⚽ 🏛️ 🤔'.split(), [511, 482, 343, 329, 321, 293, 284, 248, 216, 188]))
RANK_V3 = ('🎵 📚 🎉 🎤 🏆 😅 😊 ⚽ 🏛️ 🤔 📺 😄 🎬 🎮 📝 💪 😢 🎭 👏 🏫 🎓 📅 🚂 🏢 ⚔️ 😮 ⚾ 🏯 📜 🎸 🌍 🏙️ 👑 📖 🗺️ 😂 📍 🚉 💼 🏠 '
           '🎨 ✈️ 🚗 📈 🤝 🇯🇵 🔥 🏇 🌊 🔬 🏔️ 🎶 🚃 😭 🎹 🏀 💔 📊 🙏 ⛪ 💡 🚢 🎪 📰 ⛩️ 👨‍👩‍👧 😱 🏊 🎯 🚌 💻 🌸 🏃 🎖️ 🥇 ⚖️ 🏥 🔧 📱 🤣 '
           '🗳️ ⚙️ 🥊 🚀 🐴 🌳 🧬 🎾 🏗️ 🇺🇸 🎧 💰 👀 👍 💬 🎙️ 🌟 ❤️ 🧪 🏎️').split()
RANK_V4 = '😊 📚 🤔 🇯🇵 🎉 😄 🔥 👏 🎵 🏛️ 💪 📖 🌍 💡 🏆 🎤 📜 😮 🎶 🔍 🤝 💬 ⚽ 📺 🎓 📅 📍 🏯 ⚔️ 🎬 🎭 🧠 😅 💼 🗺️ 👍 👑 🎮 🏫 🌟'.split()
PROFILE = {  # published facts; length shares read off the real sample rows
    'v3': dict(lens={1: .062, 2: .31, 3: .459, 4: .152, 5: .017}, total=13737 / 5000, share100=2187 / 5000, share50=None),
    'v4': dict(lens={2: .01, 3: .04, 4: .06, 5: .89}, total=None, share100=4237 / 20000, share50=1337 / 20000),
}
# noise knobs (tuned so that a keyword rule lands in .35-.45 Jaccard)
P_MAIN, P_OTHER, P_MOOD = .86, .60, .48      # chance that an emoji is expressed in the text
P_DISTRACT, P_WRONGMOOD = .44, .34           # chance of a cue for an emoji that is not in gold

SUB = {}
for names, val in {
    'animal-mammal animal-bird animal-amphibian animal-reptile animal-marine animal-bug': ('animal', 'animal', 3.0),
    'plant-flower plant-other': ('plant', 'plant', 3.0),
    'food-fruit food-vegetable food-prepared food-asian food-marine food-sweet': ('food', 'food', 2.6),
    'drink': ('drink', 'food', 2.2), 'dishware': ('object', 'food', 1.5),
    'place-map place-geographic place-building place-other hotel': ('place', 'place', 3.0),
    'place-religious': ('place', 'religion', 2.0),
    'transport-ground transport-water transport-air': ('transport', 'transport', 2.4),
    'time': ('time', 'time', .35), 'sky & weather': ('sky', 'nature', 1.6), 'event': ('event', 'stage', 1.6),
    'award-medal': ('award', 'award', 3.0), 'sport': ('sport', 'sport', 3.0), 'game': ('game', 'game', 1.8),
    'arts & crafts': ('arts', 'art', 1.6), 'clothing': ('cloth', 'cloth', 1.4),
    'sound': ('object', 'media', 1.2), 'music': ('music', 'music', 2.5), 'musical-instrument': ('music', 'music', 3.0),
    'phone computer': ('object', 'science', 1.8), 'light & video': ('object', 'film', 1.6),
    'book-paper': ('paper', 'book', 2.0), 'money': ('object', 'business', 1.8), 'mail': ('paper', 'office', 1.0),
    'writing': ('object', 'office', 2.0), 'office': ('paper', 'office', 1.4), 'lock': ('object', 'object', 1.3),
    'tool': ('object', 'object', 1.8), 'science': ('science', 'science', 2.6), 'medical': ('medical', 'medical', 2.2),
    'household': ('object', 'object', 1.2), 'other-object': ('object', 'object', 1.4),
    'person person-role person-fantasy': ('person', 'person', .8),
    'person-activity person-sport person-resting': ('activity', 'sport', .6),
    'person-gesture': ('hand', 'person', .35), 'person-symbol': ('object', 'person', 1.0), 'family': ('family', 'person', .5),
    'body-parts': ('body', 'medical', 1.5),
    'hand-fingers-open hand-fingers-partial hand-single-finger hand-fingers-closed hands hand-prop': ('hand', 'mood', 1.0),
    'heart': ('heart', 'love', 1.2), 'emotion': ('heart', 'mood', 1.0),
    'cat-face monkey-face': ('heart', 'mood', .4), 'country-flag': ('flag', 'world', .55), 'subdivision-flag': ('flag', 'world', .8),
    'flag': ('symbol', 'symbol', 1.0), 'religion': ('religion', 'religion', .9), 'zodiac': ('zodiac', 'time', .3),
    'transport-sign warning arrow av-symbol gender math punctuation currency other-symbol': ('symbol', 'symbol', .35),
    'keycap alphanum geometric': ('symbol', 'symbol', .12),
}.items():
    if names in ('sky & weather', 'arts & crafts', 'light & video'):
        SUB[names] = val
    else:
        for n in names.split():
            SUB[n] = val
REL = defaultdict(set)
for _p in ('music stage,music film,music media,music award,film stage,film media,film award,book media,book school,'
           'book art,school science,school sport,sport award,baseball sport,baseball award,baseball media,horse award,horse animal,'
           'history place,history religion,history politics,history world,place transport,place business,place nature,'
           'business politics,business science,business office,politics world,world transport,nature animal,nature plant,'
           'animal plant,plant food,food business,game science,game media,science medical,medical person,person love,'
           'love film,cloth stage,cloth art,art media,object art,object science,object history,office school,time place,'
           'time media,symbol transport,symbol office,stage award,world sport,place school,office book,religion world').split(','):
    a, b = _p.split()
    REL[a].add(b); REL[b].add(a)
GENERIC_KW = set('顔 人 男 女 男性 女性 手 文具 文房具 楽器 音楽 工具 標識 記号 約物 矢印 ボタン 旗 フラグ フラッグ 星座 丸 シンボル 宗教 動物 植物 からだ 臓器 '
                 '大人 子供 スマイル ハート 笑顔 指 指差し 上 下 左 右 四角 正方形 アクセシビリティ 障がい ジェスチャー 乗り物 食べ物 建物 赤 青 緑 黄色 黒 白 茶色 紫 お金 お札 '
                 'ファイル ファッション 武器 スポーツ メンズ レディース 野菜 果物 服 魚 鳥 虫 花 木 天気 時計 列車 善 悪 犯人 道路 '
                 'コンピューター かばん 葉 飲み物 カード 祈り 病気 医者 規制 禁止 丸いボタン 三角 囲み数字 頭 物 電気 円 方向 パー 両目'.split())


def load_cldr():
    ann = {}
    for sub in ('annotations', 'annotationsDerived'):
        for a in ET.parse(f'{CLDR}/{sub}/ja.xml').iter('annotation'):
            d = ann.setdefault(a.get('cp'), {})
            if a.get('type') == 'tts':
                d['tts'] = a.text.strip()
            else:
                d['kw'] = [x.strip() for x in a.text.split('|')]
    inv, sub = [], None          # (emoji, subgroup, tts, keywords): fully-qualified, no skin tone
    for line in open(EMOJI_TEST, encoding='utf-8'):
        if line.startswith('# subgroup:'):
            sub = line[12:].strip()
        m = re.match(r'^([0-9A-F ]+?)\s*; fully-qualified', line)
        if m:
            e = ''.join(chr(int(x, 16)) for x in m.group(1).split())
            if any(0x1F3FB <= ord(c) <= 0x1F3FF for c in e):
                continue
            d = ann.get(e) or ann.get(e.replace('\ufe0f', ''))
            if d and 'tts' in d:
                inv.append((e, sub, d['tts'], d.get('kw', [])))
    return inv


class Lexicon:
    """emoji -> domain, past-tense phrases with {cues}, sentence endings."""
    def __init__(self):
        self.inv = load_cldr()
        self.rgi = {e for e, *_ in self.inv}
        df = Counter(k for _, _, t, kw in self.inv for k in set(kw + [t]))
        self.dom, self.vps, self.weight = {}, {}, {}
        cur = {}
        for line in L.CUR.split('\n'):
            e, d, p = line.split('|')
            cur[e] = (d, p.split(';'))
        for e, sub, tts, kw in self.inv:
            gen, dom, w = SUB.get(sub, ('face', 'mood', 1.6))
            self.dom[e], self.weight[e] = dom, w
            if '‍♂' in e or '‍♀' in e or (gen == 'person' and ('男' in tts or '女' in tts)):
                self.weight[e] *= .5
            if e in cur:
                self.dom[e], self.vps[e] = cur[e]
                self.weight[e] = 40.
            elif e in L.MOOD:
                self.dom[e], self.vps[e] = 'mood', []
                self.weight[e] = 6.
            else:
                if gen == 'flag':
                    ks = [tts.split(':')[-1].strip().replace('（', '').split('）')[0]]
                else:
                    ks = [k for k in dict.fromkeys(kw + [tts]) if k not in GENERIC_KW and df[k] <= 6 and len(k) <= 8
                          and not re.search(r'[顔:：（(／、#*～]', k) and not re.search(r'[ぁ-ん](る|う|く|い|た|て|む|ぬ|す)$|する|[むるたすい]$', k)
                          and not re.fullmatch(r'[ぁ-ん]{1,2}|[A-Za-z0-9]{1}', k)]
                    if tts in ks:
                        core = set(re.sub(r'[ぁ-んー]', '', tts))
                        ks = [tts] + [k for k in ks if k != tts and core & set(k)]
                    elif not ks:
                        ks = [re.sub(r'[（(].*|^.*[:：] *', '', tts)]
                if gen == 'activity':
                    ks = list(dict.fromkeys(re.sub(r'(を?する|をしている|に乗る|に乗った|に入る|中の|する|の)?(人|男|女|男性|女性)$', '', k) or k for k in ks))
                r = random.Random(e)
                fr = r.sample(L.GEN[gen], min(len(L.GEN[gen]), 5))
                self.vps[e] = [f.replace('{k}', '{' + k + '}') for f in fr for k in ks[:3]]
        self.mood = dict(L.MOOD)
        self.order = sorted(self.rgi, key=lambda e: -math.log(max(random.Random('r' + e).random(), 1e-9)) / self.weight[e])

    def ranking(self, profile, n):
        head = RANK_V3 if profile == 'v3' else list(dict.fromkeys(RANK_V4 + RANK_V3))
        seen = set(head)
        r = (head + [e for e in self.order if e not in seen])
        return r[:n]

    def cues(self):
        """cue word -> set of emojis: the generator's own dictionary (for the lookup rule)."""
        out = defaultdict(set)
        for src in (self.vps, self.mood):
            for e, ps in src.items():
                for p in ps:
                    for c in re.findall(r'\{(.+?)\}', p):
                        out[c].add(e)
        return out


def int_total(vals, total, floor=1):
    """round vals (descending) to integers >= floor with the given sum, keeping order."""
    s = sum(vals)
    v = [max(floor, x * total / s) for x in vals]
    k = [int(x) for x in v]
    diff = total - sum(k)
    idx = sorted(range(len(v)), key=lambda i: -(v[i] - k[i]))
    i = 0
    while diff:
        j = idx[i % len(idx)]
        if diff > 0:
            k[j] += 1; diff -= 1
        elif k[j] > floor:
            k[j] -= 1; diff += 1
        i += 1
    return sorted(k, reverse=True)


def curve(profile, n, total, c50, c100, rows):
    """descending counts for n emojis: fixed top ten (v3) and log-quadratic rest."""
    if profile == 'v3':
        top = [max(1, round(c * rows / 5000)) for _, c in TOP10]
        rest = total - sum(top)
        want = c100 * total - sum(top)       # ranks 11..100
        lo, hi = -3., 6.
        for _ in range(60):                  # curvature b, slope a solved for the rank-100 share
            b = (lo + hi) / 2
            f = lambda a: [top[-1] * math.exp(-a * math.log(r / 10) - b * math.log(r / 10) ** 2) for r in range(11, n + 1)]
            al, ah = -3., 8.
            for _ in range(50):
                a = (al + ah) / 2
                s = sum(max(1., x) for x in f(a))
                al, ah = (a, ah) if s > rest else (al, a)
            v = [max(1., x) for x in f(a)]
            lo, hi = (b, hi) if sum(v[:90]) < want else (lo, b)
        return top + [min(x, top[-1] - 1) for x in int_total(v, rest)]
    lo, hi = -.3, 1.5
    for _ in range(60):                      # v4: shares of ranks 1-50 and 1-100
        b = (lo + hi) / 2
        f = lambda a: [math.exp(-a * math.log(r + 2) - b * math.log(r + 2) ** 2) for r in range(1, n + 1)]
        al, ah = -3., 5.
        for _ in range(50):
            a = (al + ah) / 2
            v = f(a); s = sum(v)
            al, ah = (a, ah) if sum(v[:50]) / s < c50 else (al, a)
        v = f(a)
        lo, hi = (b, hi) if sum(v[:100]) / sum(v) < c100 else (lo, b)
    return int_total(v, total)


def assign(rng, lex, ranks, counts, lens):
    """emoji sets for rows of the given lengths, using every emoji exactly counts[i] times."""
    tier = {e: (i < 50) + (i < 100) for i, e in enumerate(ranks)}
    is_mood = lambda e: lex.dom[e] == 'mood'
    C = [e for e, c in zip(ranks, counts) if not is_mood(e) for _ in range(c)]
    M = [e for e, c in zip(ranks, counts) if is_mood(e) for _ in range(c)]
    rng.shuffle(C); rng.shuffle(M)
    rows = [[] for _ in lens]
    order = list(range(len(lens))); rng.shuffle(order)
    cap = []                                         # rows that take a mood emoji
    for i in order:
        n = lens[i]
        if n >= 2: cap.append((rng.random(), i))
        if n >= 3: cap.append((rng.random() * 1.2 + .75, i))
        if n >= 4: cap.append((rng.random() * 1.2 + .9, i))
        if n == 1: cap.append((rng.random() * 3, i))
    cap.sort()
    moodn = Counter(i for _, i in cap[:len(M)])
    def pop(pool, j):
        e = pool[j]; pool[j] = pool[-1]; pool.pop(); return e
    for i in order:
        row = rows[i]
        for k in range(lens[i] - moodn[i]):
            if not C: break
            if not row:
                row.append(pop(C, rng.randrange(len(C)))); continue
            best, bj = -1., 0
            for _ in range(14):
                j = rng.randrange(len(C)); e = C[j]
                if e in row: continue
                a, b = lex.dom[row[0]], lex.dom[e]
                w = 10. if a == b else 4. if b in REL[a] else .8
                w *= 1.1 if tier[e] == tier[row[0]] else 1.
                w *= rng.random() ** 1.2
                if w > best: best, bj = w, j
            row.append(pop(C, bj))
    for i in order:
        for _ in range(lens[i] - len(rows[i])):
            if not M: break
            for _ in range(40):
                j = rng.randrange(len(M))
                if M[j] not in rows[i]: break
            rows[i].append(pop(M, j))
    left = C + M
    for i in order:
        while len(rows[i]) < lens[i] and left:
            rows[i].append(left.pop())
    for i in range(len(rows)):                       # repair duplicates by swapping with other rows
        guard = 0
        while len(set(rows[i])) < len(rows[i]) and guard < 5000:
            guard += 1
            d = next(k for k, e in enumerate(rows[i]) if e in rows[i][:k])
            j = rng.randrange(len(rows)); k = rng.randrange(len(rows[j]))
            x, y = rows[i][d], rows[j][k]
            if y not in rows[i] and x not in rows[j]:
                rows[i][d], rows[j][k] = y, x
    return rows


def share(rows, tops):
    t = set(tops)
    return sum(all(e in t for e in r) for r in rows) / len(rows)


def fix_share(rng, rows, ranks, k, target):
    """swap companions between rows until exactly target rows lie inside the top k."""
    T = set(ranks[:k])
    out = [sum(e not in T for e in r) for r in rows]
    need = target - sum(o == 0 for o in out)
    idx = list(range(len(rows))); rng.shuffle(idx)
    ones = [i for i in idx if out[i] == 1 and len(rows[i]) > 1]
    many = [i for i in idx if out[i] >= 1 and any(e in T for e in rows[i])]
    zeros = [i for i in idx if out[i] == 0 and len(rows[i]) > 1]
    twos = [i for i in idx if out[i] >= 2]
    tries = 0
    while need and tries < 200000:
        tries += 1
        if need > 0:
            i, j = rng.choice(ones), rng.choice(many)
            if i == j or out[i] != 1: continue
            a = next(x for x, e in enumerate(rows[i]) if e not in T)
            bs = [x for x, e in enumerate(rows[j]) if e in T]
            if out[j] < 1 or not bs: continue
            d = 1
        else:
            i, j = rng.choice(zeros), rng.choice(twos)
            if i == j or out[i] != 0 or out[j] < 2: continue
            a = rng.randrange(1, len(rows[i]))
            bs = [x for x, e in enumerate(rows[j]) if e not in T]
            d = -1
        b = rng.choice(bs)
        x, y = rows[i][a], rows[j][b]
        if y in rows[i] or x in rows[j]: continue
        rows[i][a], rows[j][b] = y, x
        out[i] -= d; out[j] += d; need -= d
    return rows


class Writer:
    def __init__(self, lex, ranks, counts):
        self.lex, self.ranks = lex, ranks
        self.rcum = []
        s = 0
        for c in counts:
            s += c; self.rcum.append(s)
        self.moods = [(e, c) for e, c in zip(ranks, counts) if e in lex.mood]
        self.stat = Counter()

    def rand_emoji(self, rng):
        return rng.choices(self.ranks, cum_weights=self.rcum)[0]

    def date(self, rng, day):
        m = rng.randint(1, 12)
        y = rng.randint(1950, 2021)
        r = rng.random()
        yy = f'{y}年' if r < .5 else (f'{y}年（昭和{y-1925}年）' if y <= 1988 else f'{y}年（平成{y-1988}年）' if 1989 <= y <= 2018 and r < .6 else f'{y}年') if r < .6 else ''
        if day:
            return f'{yy}{m}月{rng.randint(1, 28)}日'
        return f'{yy}{m}月' if yy and rng.random() < .6 else (yy or f'{y}年')

    def name(self, rng, dom):
        r = rng.random()
        o = L.ORG.get(dom)
        if o and r < .35:
            return rng.choice(o).format(p=rng.choice(L.PLACE), s=rng.choice(L.SURNAME))
        if r < .5:
            return '『' + rng.choice(L.TITLE_A) + rng.choice(L.TITLE_B) + '』' if dom in ('music', 'book', 'film', 'game', 'stage', 'art', 'media') else rng.choice(L.PLACE) + rng.choice(['町', 'の人たち', 'の店', '駅前'])
        if r < .7:
            return rng.choice(L.FOREIGN)
        return rng.choice(L.SURNAME) + rng.choice(['', '', 'さん', 'さん', '先生', 'くん'])

    def vp(self, rng, e):
        ps = [p for p in self.lex.vps.get(e, []) if not p.startswith('@')]
        return rng.choice(ps) if ps else None

    def text(self, rng, gold):
        lex = self.lex
        vps, ending, day = [], None, False
        for pos, e in enumerate(gold):
            mood = lex.dom[e] == 'mood'
            p = P_MOOD if mood else (P_MAIN if pos == 0 else P_OTHER)
            self.stat['tokens'] += 1
            if rng.random() >= p: continue
            if lex.vps.get(e, [''])[:1] == ['@DATE']:
                day = True; self.stat['expr'] += 1; continue
            if e in lex.mood and ending is None and (mood):
                ending = rng.choice(lex.mood[e]); self.stat['expr'] += 1; continue
            if len(vps) < 3:
                v = self.vp(rng, e)
                if v: vps.append((v, lex.dom[e])); self.stat['expr'] += 1
        if len(vps) < 3 and rng.random() < P_DISTRACT:
            for _ in range(20):
                e = self.rand_emoji(rng)
                v = self.vp(rng, e)
                if v and e not in gold and lex.dom[e] != 'mood':
                    vps.insert(rng.randrange(len(vps) + 1), (v, lex.dom[e])); self.stat['distract'] += 1
                    break
        if not vps or (len(vps) == 1 and rng.random() < .22):
            vps.insert(0, (rng.choice(L.NEUTRAL), 'none'))
        if ending is None:
            if rng.random() < P_WRONGMOOD:
                ending = rng.choice(lex.mood[rng.choices([e for e, _ in self.moods], [c for _, c in self.moods])[0]]); self.stat['wrongmood'] += 1
            else:
                ending = rng.choice(L.END)
        if len(vps) > 1 and rng.random() < .35:
            rng.shuffle(vps)
        return self.compose(rng, vps, ending, day)

    def compose(self, rng, vps, ending, day):
        dom = vps[-1][1]
        pre = ''
        r = rng.random()
        if day or r < .10:
            pre = self.date(rng, True) + rng.choice(['に', 'に', 'に、', ' - '])
        elif r < .22:
            pre = self.date(rng, False) + rng.choice(['に', 'に', 'に、', 'ごろ、'])
        elif r < .62:
            pre = rng.choice(L.OPEN) + '、'
        elif r < .74:
            pre = rng.choice(L.PLACE) + rng.choice(['で', 'の駅前で', 'のほうで', '時代に'])
        subj = self.name(rng, dom if dom != 'none' else vps[0][1]) + rng.choice(['は', 'が', 'って', 'も', 'が', 'は']) if rng.random() < .6 else ''
        if subj and rng.random() < .35:
            subj = rng.choice(L.ATTR).format(p=rng.choice(L.PLACE), s=rng.choice(L.SURNAME), y=rng.randint(1900, 2010), n=rng.randint(2, 12)) + subj
        if rng.random() < .42:
            pre += rng.choice(L.NOISE).format(p=rng.choice(L.PLACE), s=rng.choice(L.SURNAME), f=rng.choice(L.FOREIGN), n=rng.randint(2, 30)) + '、'
        own = [v.startswith('~') for v, _ in vps]
        v = [x.lstrip('~') for x, _ in vps]
        adv = lambda: rng.choice(['めっちゃ', 'ちゃんと', 'いきなり', '一気に', '再び', 'わりと', '本格的に', '初めて', 'たまたま', 'そのまま', 'みんなで', 'また', 'こっそり', '何回も']) if rng.random() < .22 else ''
        te = lambda s: s[:-1] + ('て' if s[-1] == 'た' else 'で')
        def last(s):
            q = rng.random(); t = te(s)
            if q < .10: return t + 'た'
            if q < .17: return t[:-1] + ('ちゃった' if t[-1] == 'て' else 'じゃった')
            if q < .21: return s + 'りした'
            return s
        link = lambda s: rng.choice([s + 'あと、', s + 'から、', s + 'けど、', s + 'とき、', s + 'のをきっかけに、', s + '流れで、', s + 'ついでに、', te(s) + 'から、', s + 'おかげで、', s + 'ころに、', s + 'し、'])
        end1 = lambda: rng.choice(['んだって。', 'んだよね。', 'らしい。', '！', 'んだけど、', 'よ。', 'みたい。'])
        if len(v) == 1:
            body = ('' if own[0] else subj) + adv() + last(v[0])
        elif len(v) == 2:
            q = rng.random()
            if any(own):
                body = (link(v[0]) if q < .6 else v[0] + end1()) + ('' if own[1] else subj) + last(v[1])
            elif q < .42: body = subj + v[0][:0] + te(v[0]) + '、' + adv() + last(v[1])
            elif q < .75: body = link(v[0]) + subj + adv() + last(v[1])
            else: body = subj + v[0] + end1() + rng.choice(['', 'で、', 'あと', 'しかも']) + adv() + last(v[1])
        else:
            if any(own[1:]): body = link(v[0]) + v[1] + end1() + last(v[2])
            elif rng.random() < .6: body = link(v[0]) + subj + te(v[1]) + '、' + last(v[2])
            else: body = subj + te(v[0]) + '、' + v[1] + end1() + adv() + last(v[2])
        tail = rng.choice(['知らんけど', 'まじか', 'なるほどね', 'へえ〜', 'いいなあ', 'すごくない？', 'って何', 'いや〜']) if rng.random() < .10 and ending[-1] not in '！？}' else ''
        s = pre + body + ending + ('。' if tail and ending[-1] not in '〜！' else '') + tail
        if rng.random() < .24:
            s += ('' if s[-1] in '。！〜？w' else '。') + rng.choice(L.AFTER).format(p=rng.choice(L.PLACE), s=rng.choice(L.SURNAME), n=rng.randint(2, 12))
        s = re.sub(r'んだけど、(で、|あと|しかも)', 'んだけど、', s)
        s = re.sub(r'\}を', lambda m: '}' if rng.random() < .22 else '}を', s)
        s = s.replace('{', '').replace('}', '')
        if rng.random() < .18 and s[-1] not in '。！〜？': s += rng.choice(['。', '〜', '！', 'w'])
        return s


def build(rows, seed, distinct, profile, verbose=True):
    lex = Lexicon()
    P = PROFILE[profile]
    rng = random.Random(f'{profile}:{seed}:{rows}:{distinct}')
    lens = []
    ks = list(P['lens']); ws = P['lens']
    for k in ks: lens += [k] * round(ws[k] * rows)
    while len(lens) < rows: lens.append(3 if profile == 'v3' else 5)
    lens = lens[:rows]
    if P['total']:
        want = round(P['total'] * rows)
        i = 0
        while sum(lens) != want:
            d = 1 if sum(lens) < want else -1
            j = rng.randrange(rows)
            if (lens[j], lens[j] + d) in ((2, 3), (3, 2), (3, 4), (4, 3)): lens[j] += d
    rng.shuffle(lens)
    total = sum(lens)
    ranks = lex.ranking(profile, distinct)
    c100, c50 = .72, .56
    for _ in range(5):
        counts = curve(profile, distinct, total, c50, c100, rows)
        if profile == 'v3' and '✨' in ranks:           # published: 28 times
            ranks.remove('✨')
            i = next(i for i, c in enumerate(counts) if c <= round(28 * rows / 5000))
            ranks.insert(i, '✨')
            d = counts[i] - max(1, round(28 * rows / 5000)); counts[i] -= d; counts[20] += d
        for k in (50, 100):                            # no ties across the cut
            if k < distinct and counts[k - 1] == counts[k]:
                j = k
                while j < distinct and counts[j] == counts[k - 1]: j += 1
                i = k - 1
                while counts[i - 1] == counts[k - 1]: i -= 1
                n_up, n_dn = k - i, j - k
                if counts[k] > 1 and n_dn <= n_up or profile == 'v4' and counts[k] > 1:
                    for x in range(k, j): counts[x] -= 1
                    counts[10] += n_dn
                else:
                    for x in range(i, k): counts[x] += 1
                    counts[10] -= n_up
        r2 = random.Random(f'a{profile}:{seed}')
        sets = assign(r2, lex, ranks, counts, lens)
        s100, s50 = share(sets, ranks[:100]), share(sets, ranks[:50])
        if verbose: print(f'  calibrate c50={c50:.3f} c100={c100:.3f} -> rows in top100 {s100:.4f}, top50 {s50:.4f}', file=sys.stderr)
        m = total / rows
        if abs(s100 - P['share100']) < .004 and (not P['share50'] or abs(s50 - P['share50']) < .003): break
        c100 *= (P['share100'] / s100) ** (1 / m)
        if P['share50']: c50 *= (P['share50'] / s50) ** (1 / m)
    if P['share50']:
        fix_share(rng, sets, ranks, 50, round(P['share50'] * rows))
    fix_share(rng, sets, ranks, 100, round(P['share100'] * rows))
    W = Writer(lex, ranks, counts)
    out, seen = [], set()
    for s in sets:
        if rng.random() < .12: rng.shuffle(s)
        for _ in range(60):
            t = W.text(rng, s)
            if 12 <= len(t) <= 117 and t not in seen: break
        seen.add(t)
        out.append({'sns_text': t, 'emoji_string': ' '.join(s)})
    return out, lex, ranks, W.stat


def report(rows, lex, ranks, stat, profile):
    sets = [r['emoji_string'].split() for r in rows]
    c = Counter(e for s in sets for e in s)
    mc = c.most_common()
    P = PROFILE[profile]
    v3 = profile == 'v3'
    L_ = sorted(len(r['sns_text']) for r in rows)
    q = lambda p: L_[min(len(L_) - 1, int(p * len(L_)))]
    f = len(rows) / (5000 if v3 else 20000)
    print(f'{"":34s}{"made":>12s}{"published":>12s}')
    def line(n, a, b): print(f'{n:34s}{a:>12}{b:>12}')
    line('rows', len(rows), 5000 if v3 else 20000)
    line('distinct emojis', len(c), 785 if v3 else 1300)
    line('emoji occurrences', sum(c.values()), '13737' if v3 else '?')
    line('mean per row', f'{sum(c.values())/len(rows):.3f}', '2.75' if v3 else '~4.9*')
    line('rows within Top-100', sum(all(e in {x for x, _ in mc[:100]} for e in s) for s in sets), 2187 if v3 else 4237)
    line('rows within Top-50', sum(all(e in {x for x, _ in mc[:50]} for e in s) for s in sets), '?' if v3 else 1337)
    if v3:
        for e, n in TOP10: line('  count ' + e, c[e], n)
        line('  count ✨', c['✨'], 28)
    else:
        print('  top ten', mc[:10])
    line('Top-100 token coverage', f'{sum(n for _, n in mc[:100])/sum(c.values()):.3f}', '?')
    line('count at rank 50/100/200/400', '/'.join(str(mc[i - 1][1]) for i in (50, 100, 200, 400) if i <= len(mc)), '?')
    line('emojis seen once', sum(n == 1 for n in c.values()), '?')
    line('length 1/2/3/4/5', '/'.join(str(sum(len(s) == k for s in sets)) for k in range(1, 6)), '')
    line('chars p5/p50/p95/max', f'{q(.05)}/{q(.5)}/{q(.95)}/{L_[-1]}', '17/43/85/117')
    line('gold emojis cued in text', f"{stat['expr']/stat['tokens']:.3f}", '')
    line('distractor cues per row', f"{(stat['distract']+stat['wrongmood'])/len(rows):.3f}", '')
    line('duplicate texts', len(rows) - len({r['sns_text'] for r in rows}), '')
    bad = [e for e in c if e not in lex.rgi]
    line('not RGI / repeated in row', f"{len(bad)}/{sum(len(set(s)) < len(s) for s in sets)}", '')


def main():
    ap = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    ap.add_argument('--rows', type=int, default=5000)
    ap.add_argument('--seed', type=int, default=42)
    ap.add_argument('--distinct', type=int, default=785)
    ap.add_argument('--profile', choices=['v3', 'v4'], default=None, help='default: v4 when --distinct > 1000')
    ap.add_argument('--out', default='-')
    a = ap.parse_args()
    prof = a.profile or ('v4' if a.distinct > 1000 else 'v3')
    rows, lex, ranks, stat = build(a.rows, a.seed, a.distinct, prof)
    txt = ''.join(json.dumps(r, ensure_ascii=False) + '\n' for r in rows)
    if a.out == '-':
        sys.stdout.write(txt)
    else:
        with open(a.out, 'w', encoding='utf-8') as fh: fh.write(txt)
        report(rows, lex, ranks, stat, prof)


if __name__ == '__main__':
    main()
