/* One dispute: who begins when, and the agreement on one Byzantine author's view (broadcast.md, Dispute:
 * Call, Begin, Agreement, Views that come early; lemmas 1 and 2). R = F + 1 rounds; all members take part.
 *
 * Honest peers hold seats 0 .. H-1. One Byzantine peer is the author of up to V views, the others sign for
 * it. The views of honest authors go to all as they begin; that these count is asserted in take_view.
 *
 * SKEW   how far apart, in ticks, honest deadlines of one phase lie (more than delta)
 *
 * Properties. Agreement: honest peers end with the same view of the author, none, or two. Validity: the
 * view of an honest author is accepted by all. Start: honest peers begin within delta of each other, and f
 * liars begin no dispute (assertions). Termination: no end but the last line of world (invalid end
 * states), and no run goes on for ever (non-progress cycles; there is no progress label).
 *
 * Planted mistakes: FEWER_ROUNDS (R = F), SHORT_ROUNDS (a round lasts delta), FIRST_VIEW_ONLY (a second
 * view of an author is dropped), RELAY_UNSIGNED (a relay lacks the relaying peer's signature),
 * EARLY_VIEWS_DROPPED (a relay that comes before the start is lost), DEADLINE_ALONE (a peer begins at its
 * own deadline, without F + 1 calls to show), FEWER_CALLS (F calls are enough), MORE_CALLS (F + 2 calls
 * are needed).
 *
 * Time. One tick is delta. A message between honest peers arrives in the tick in which it is sent or in
 * the next one; as delays are less than delta, the latter stands for "just under delta", and a view that
 * arrives just at the end of a round belongs to that round. All bounds are multiples of delta, so nothing
 * depends on finer time. Order within a tick is free.
 *
 * Reductions. (1) A Byzantine peer sends a view with the least number of signatures that are accepted: a
 * relay with more helps honest peers only. Signatures are over the view, not over the chain, so it may use
 * every signature that an honest peer has made. (2) Views are named in the order in which they are first
 * accepted. (3) Honest peers are named in the order in which their deadlines pass or they begin. (4) What
 * can change nothing any more is forgotten at once. (5) An honest author's view is not relayed: it reaches
 * all as early as its relays. */

#ifndef N
#define N 3
#endif
#ifndef F
#define F ((N - 1) / 2)
#endif
#ifndef SKEW
#define SKEW 2
#endif

#define H (N - F)
#define ALL ((1 << H) - 1)
#define V 3                     /* two honest peers may see two views each, one of them in common */
#ifdef FEWER_ROUNDS
#define R F
#else
#define R (F + 1)
#endif
#ifdef SHORT_ROUNDS
#define ROUND 1
#else
#define ROUND 2
#endif
#ifdef FIRST_VIEW_ONLY
#define KEPT 1
#else
#define KEPT 2
#endif
#ifdef RELAY_UNSIGNED
#define OWN 0
#else
#define OWN 1
#endif
#ifdef EARLY_VIEWS_DROPPED
#define hears(p) true
#else
#define hears(p) started(p)
#endif
/* Calls of f + 1 distinct participants begin a dispute. */
#ifdef FEWER_CALLS
#define CALLS F
#else
#ifdef MORE_CALLS
#define CALLS (F + 2)
#else
#define CALLS (F + 1)
#endif
#endif

#if H == 2
#define all(what) (what(0) && what(1))
#else
#define all(what) (what(0) && what(1) && what(2))
#endif
#define IDLE 0
#define END (R * ROUND + 2)             /* age of a peer whose last round is over */
#define has(mask, seat) (((mask) >> (seat)) & 1)
#define started(h) (age[h] != IDLE)
#define active(h) (age[h] != IDLE && age[h] != END)
/* Ages count from 1; the round of an age, its last moment included. */
#define round(h) (age[h] <= ROUND + 1 -> 0 : (age[h] - 2) / ROUND)
#define needed(h) (round(h) < R - 1 -> round(h) : R - 1)
#define size(mask) (has(mask, 0) + has(mask, 1) + has(mask, 2))
#define at(h, v) ((h) * V + (v))
#define wants(h, v) (age[h] != END && !has(views[h], v) && size(views[h]) < KEPT)
#define takes(h, v) (started(h) && wants(h, v))
#define enough(count) ((count) < R - 1 -> (count) : R - 1)      /* more signatures are never asked for */

byte age[H];                    /* IDLE, or 1 + ticks since the peer began */
byte views[H];                  /* the author's views that a peer accepted */
byte chain[H * V];              /* signatures on a peer's relay of a view */
byte signatures[V];             /* how many honest peers signed a view */
byte known;                     /* how many views have been accepted anywhere */

/* Messages under way, by receiver: masks of senders. `old` ones were sent in the last tick. */
byte begun[H], begun_old[H];            /* a view of its own, with the reasons to begin */
byte relay[H * V], relay_old[H * V];
byte call[H], call_old[H];

byte calls[H];                  /* calls held: a mask of honest peers */
byte false_calls[H];            /* Byzantine calls held */
byte past;                      /* honest peers whose deadline has passed */
byte clock;                     /* ticks since the first of these deadlines */
byte n, h, v, c;

inline begin(peer) {
    printf("peer %d falls into dispute, and sends its view\n", peer);
    age[peer] = 1;
    past = past | (1 << peer);
    calls[peer] = 0; false_calls[peer] = 0; call[peer] = 0; call_old[peer] = 0;
    for (n : 0 .. H - 1) { begun[n] = begun[n] | (n == peer -> 0 : 1 << peer) }
}

inline calling(peer) {
    printf("peer %d calls for a dispute\n", peer);
    calls[peer] = calls[peer] | (1 << peer);
    for (n : 0 .. H - 1) { call[n] = call[n] | (n == peer || started(n) -> 0 : 1 << peer) }
}

/* Take a view with c signatures, and relay it with one more. */
inline accept(peer, view) {
    printf("peer %d accepts and relays view %d, round %d, %d signatures\n", peer, view, round(peer), c);
    views[peer] = views[peer] | (1 << view);
    chain[at(peer, view)] = enough(c + OWN);
    signatures[view] = enough(signatures[view] + 1);
    if
    :: view == known -> known++
    :: else
    fi;
    for (n : 0 .. H - 1) {
        if
        :: n != peer && wants(n, view) -> relay[at(n, view)] = relay[at(n, view)] | (1 << peer)
        :: else
        fi
    }
    for (v : 0 .. V - 1) { forget(peer, v) }
}

/* A relay that its receiver has no use for changes nothing: it is dropped at once. */
inline forget(peer, view) {
    if
    :: !wants(peer, view) -> relay[at(peer, view)] = 0; relay_old[at(peer, view)] = 0
    :: else
    fi
}

/* ---------------------------------------------------------------- what may happen next */

inline tick() {
    printf("delta passes\n");
    /* Lemma 1: honest peers begin within delta of each other. */
    for (h : 0 .. H - 1) { assert(age[h] < 2 || all(started)) }
    for (h : 0 .. H - 1) {
        if
        :: active(h) -> age[h]++
        :: else
        fi;
        begun_old[h] = begun[h]; begun[h] = 0;
        call_old[h] = call[h]; call[h] = 0;
        for (v : 0 .. V - 1) {
            relay_old[at(h, v)] = relay_old[at(h, v)] | relay[at(h, v)];
            relay[at(h, v)] = 0;
            forget(h, v)
        }
    }
    if
    :: past && past != ALL && clock < SKEW -> clock++
    :: past == ALL -> clock = 0
    :: else
    fi
}

/* An honest peer's hard deadline passes: it calls, and goes on (Call). In a dispute there is none. */
inline deadline(peer) {
    past = past | (1 << peer);
    if
    :: started(peer)
#ifdef DEADLINE_ALONE
    :: !started(peer) -> calling(peer); age[peer] = 1
#else
    :: !started(peer) -> calling(peer)
#endif
    fi
}

inline take_view(peer, sender) {
    begun[peer] = begun[peer] & ~(1 << sender);
    begun_old[peer] = begun_old[peer] & ~(1 << sender);
    if
    :: !started(peer) -> begin(peer)
    :: else
    fi;
    /* The sender's own view has no signature: it counts in round 0 alone. */
    assert(active(peer) && needed(peer) == 0)
}

inline take_call(peer, sender) {
    call[peer] = call[peer] & ~(1 << sender);
    call_old[peer] = call_old[peer] & ~(1 << sender);
    calls[peer] = calls[peer] | (1 << sender)
}

/* f + 1 calls are held. One of them is honest: an honest deadline has passed. */
inline begin_on_calls(peer) {
    assert(past);
    begin(peer)
}

/* A relay of before the start is kept without its signatures, and accepted as the peer starts (Views that
 * come early); whether one came before or just after is free. */
inline take_relay(peer, sender, view) {
    relay[at(peer, view)] = relay[at(peer, view)] & ~(1 << sender);
    relay_old[at(peer, view)] = relay_old[at(peer, view)] & ~(1 << sender);
    if
    :: c = chain[at(sender, view)]
    :: age[peer] == 1 -> c = 0
    fi;
    if
    :: takes(peer, view) && c >= needed(peer) -> accept(peer, view)
    :: else
    fi
}

inline take_false_view(peer, view) {
    c = needed(peer);
    accept(peer, view)
}

/* Options of the loop, one for each peer; what follows them is reset, so that equal states are equal. */
#define then(what) -> atomic { what; n = 0; h = 0; v = 0; c = 0 }
#define FROM(p, s) \
    :: (p) != (s) && in_turn(p) && has(begun[p] | begun_old[p], s) then(take_view(p, s)) \
    :: (p) != (s) && has(call[p] | call_old[p], s) then(take_call(p, s)) \
    RELAYED(p, s, 0) RELAYED(p, s, 1) RELAYED(p, s, 2)
#define RELAYED(p, s, x) \
    :: (p) != (s) && hears(p) && has(relay[at(p, x)] | relay_old[at(p, x)], s) then(take_relay(p, s, x))
#define FALSE_VIEW(p, x) \
    :: (x) <= known && takes(p, x) && needed(p) <= signatures[x] + F - 1 then(take_false_view(p, x))
#define PEER(p) \
    :: !has(past, p) && in_turn(p) then(deadline(p)) \
    :: has_calls(p) && in_turn(p) then(begin_on_calls(p)) \
    :: !started(p) && false_calls[p] < F then(false_calls[p]++) \
    :: !started(p) && in_turn(p) then(begin(p))       /* on evidence: at any time */ \
    FALSE_VIEW(p, 0) FALSE_VIEW(p, 1) FALSE_VIEW(p, 2)

#if H == 2
#define EACH PEER(0) PEER(1) FROM(0, 1) FROM(1, 0)
#else
#define EACH PEER(0) PEER(1) PEER(2) FROM(0, 1) FROM(0, 2) FROM(1, 0) FROM(1, 2) FROM(2, 0) FROM(2, 1)
#endif

#define has_calls(p) (!started(p) && size(calls[p]) + false_calls[p] >= CALLS)
/* What was sent in the tick before has arrived, and who has enough calls has begun; relays are kept for a
 * peer that has not. */
#define arrived(p) (!begun_old[p] && !call_old[p] && !has_calls(p) && (!started(p) || \
    !(relay_old[at(p, 0)] | relay_old[at(p, 1)] | relay_old[at(p, 2)])))
/* Honest peers are alike: they are named in the order in which they begin, or their deadlines pass. */
#define in_turn(p) ((past & ((1 << (p)) - 1)) == (1 << (p)) - 1)
#define is_over(p) (age[p] == END)
#define is_idle(p) (age[p] == IDLE)
#define outcome(p) (size(views[p]) == 2 -> 255 : views[p])

active proctype world() {
    do
    :: all(is_over) -> break
    :: !all(is_over) && all(arrived) && (past || !all(is_idle)) && (!past || clock < SKEW || past == ALL)
        then(tick())
    EACH
    od;
    /* Agreement: the same view, none, or a proof that the author signed two. */
    assert(outcome(0) == outcome(1) && outcome(0) == outcome(H - 1))
}
