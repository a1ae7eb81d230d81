//! The beginning of a step: who takes part in it, and what gives way.

use super::cost::{self, Pace, Work};
use super::kv::BLOCK;
use super::request::{Ended, Reason, Request};
use super::{Engine, Limits, Step};

/// A request that was admitted.
struct Placed {
    number: u64,
    /// Private tokens of its first piece.
    tokens: u64,
    /// Tokens of the shared chain that were not cached and are computed in the same step.
    missed: u64,
}

/// Sum over the positions `from..to` of the tokens each looks back at.
fn looks_back(from: u64, to: u64) -> f64 {
    let (from, to) = (from as f64, to as f64);
    (to * (to + 1.0) - from * (from + 1.0)) / 2.0
}

impl Engine {
    /// Begin a step now, if there is anything to do.
    pub(super) fn begin(&mut self, limits: Limits, pace: Pace, ended: &mut Vec<Ended>) {
        self.hang_up(ended);
        while self.kv.is_over() && self.preempt_last() {}
        let mut work = Work::default();
        let mut pieces = Vec::new();
        let preempted_before = self.stats.preemptions;
        self.grow_decoding();
        work.decodes = self.decoding;
        work.cached = self.looked_back;
        let mut budget = limits.batch_tokens.saturating_sub(self.decoding);
        self.continue_prompts(&mut budget, &mut work, &mut pieces);
        // The decoders may have given way to a prompt that was admitted before them.
        work.decodes = self.decoding;
        work.cached = self.looked_back;
        if self.stats.preemptions == preempted_before {
            self.admit(limits, &mut budget, &mut work, &mut pieces);
        }
        if work.decodes == 0 && work.prefill == 0 {
            self.refuse_what_never_fits(ended);
            return;
        }
        let cost = cost::step(&self.model, &self.gpu, self.tp, pace, work);
        let (began, ends) = (self.now, self.now + cost.total);
        self.under_way = Some(Step { began, ends, decodes: work.decodes, pieces, cost });
    }

    /// Blocks for the next token of every decoding sequence; while they do not fit, the request
    /// admitted last gives way.
    fn grow_decoding(&mut self) {
        loop {
            let needed = self.residues[(self.step % BLOCK) as usize];
            if self.kv.allocate(needed, self.now) {
                self.grown = true;
                return;
            }
            if !self.preempt_last() {
                return;
            }
        }
    }

    /// Go on with prompts that were begun.
    fn continue_prompts(
        &mut self,
        budget: &mut u64,
        work: &mut Work,
        pieces: &mut Vec<(u64, u64)>,
    ) {
        let mut place = 0;
        while let Some(number) = self.prefilling.get(place).copied() {
            let Some(request) = self.running.get(&number) else { return };
            let tokens = (request.to_compute() - request.computed).min(*budget);
            if tokens == 0 {
                return;
            }
            let needed = (request.computed + tokens).div_ceil(BLOCK) - request.blocks;
            if self.kv.allocate(needed, self.now) {
                self.add_piece(number, tokens, needed, work, pieces);
                *budget -= tokens;
                place += 1;
            } else if !self.preempt_last() {
                return;
            }
        }
    }

    fn add_piece(
        &mut self,
        number: u64,
        tokens: u64,
        blocks: u64,
        work: &mut Work,
        pieces: &mut Vec<(u64, u64)>,
    ) {
        let Some(request) = self.running.get_mut(&number) else { return };
        request.blocks += blocks;
        let from = request.ask.shared_blocks() * BLOCK + request.computed;
        work.prefill += tokens;
        work.looked_at += looks_back(from, from + tokens);
        pieces.push((number, tokens));
    }

    /// Admit waiting requests in order while tokens, sequences and blocks last.
    fn admit(
        &mut self,
        limits: Limits,
        budget: &mut u64,
        work: &mut Work,
        pieces: &mut Vec<(u64, u64)>,
    ) {
        while *budget > 0 && self.running.len() < limits.sequences {
            let Some(request) = self.waiting.pop_front() else { return };
            match self.place(request, *budget) {
                Ok(Placed { number, tokens, missed }) => {
                    // Its blocks were allocated with its place.
                    self.add_piece(number, tokens, 0, work, pieces);
                    *budget -= tokens;
                    work.prefill += missed;
                    work.looked_at += looks_back(0, missed);
                }
                Err(request) => {
                    self.waiting.push_front(*request);
                    return;
                }
            }
        }
    }

    /// Find what is cached of a request and allocate the blocks of its first piece.
    fn place(&mut self, mut request: Request, budget: u64) -> Result<Placed, Box<Request>> {
        let (ask, now) = (request.ask, self.now);
        let shared = ask.shared_blocks();
        let Some(shared_hit) = self.kv.join(ask.shared_key(), shared, now) else {
            return Err(Box::new(request));
        };
        // The last token is always computed, as something must be sampled from.
        let to_compute = request.to_compute();
        let reusable = if shared_hit == shared { (to_compute - 1) / BLOCK } else { 0 };
        let hit = self.kv.take(ask.conversation, reusable, now);
        let missed = (shared - shared_hit) * BLOCK;
        let tokens = (to_compute - hit * BLOCK).min(budget);
        let blocks = (hit * BLOCK + tokens).div_ceil(BLOCK) - hit;
        if !self.kv.allocate(blocks, now) {
            self.kv.leave(ask.conversation, hit, request.born, now);
            self.kv.part(ask.shared_key(), now);
            return Err(Box::new(request));
        }
        request.computed = hit * BLOCK;
        request.blocks = hit + blocks;
        if request.scheduled.is_none() {
            request.scheduled = Some(now);
            request.hit = (shared_hit + hit) * BLOCK;
            request.born = now;
            self.stats.queries += ask.prompt;
            self.stats.hits += request.hit;
        }
        self.activity.prompt_tokens += missed;
        let number = self.next_number;
        self.next_number += 1;
        self.running.insert(number, request);
        self.prefilling.push_back(number);
        Ok(Placed { number, tokens, missed })
    }

    /// Preempt the request admitted last; `false` when nobody runs.
    fn preempt_last(&mut self) -> bool {
        let Some((&number, _)) = self.running.last_key_value() else { return false };
        let Some(mut request) = self.stop_running(number) else { return false };
        request.preemptions += 1;
        self.stats.preemptions += 1;
        self.waiting.push_front(request);
        true
    }

    /// Take a request out of the running ones and free its blocks; whole computed blocks stay for
    /// reuse.
    pub(super) fn stop_running(&mut self, number: u64) -> Option<Request> {
        let mut request = self.running.remove(&number)?;
        let length = request.length_at(self.step);
        let blocks = request.blocks_at(self.step, self.grown);
        if let Some(since) = request.decoding_since.take() {
            request.generated += self.step - since;
            request.last_token = self.now;
            self.decoding -= 1;
            self.looked_back -= request.ask.shared_blocks() * BLOCK + length;
            self.residues[residue(since, request.computed)] -= 1;
        } else {
            self.prefilling.retain(|other| *other != number);
        }
        let whole = (length / BLOCK).min(blocks);
        self.kv.leave(request.ask.conversation, whole, request.born, self.now);
        self.kv.free(blocks - whole);
        self.kv.part(request.ask.shared_key(), self.now);
        request.computed = 0;
        request.blocks = 0;
        Some(request)
    }

    /// End requests whose clients have gone: those without a first token at their deadline.
    fn hang_up(&mut self, ended: &mut Vec<Ended>) {
        if self.now < self.patience_ends {
            return;
        }
        let gone =
            |request: &Request| request.first_token.is_none() && request.ask.deadline <= self.now;
        let numbers: Vec<u64> = self.prefilling.iter().copied().collect();
        let numbers: Vec<u64> = numbers
            .into_iter()
            .filter(|number| self.running.get(number).is_some_and(&gone))
            .collect();
        let places: Vec<usize> = (0..self.waiting.len())
            .rev()
            .filter(|place| self.waiting.get(*place).is_some_and(&gone))
            .collect();
        for number in numbers {
            if let Some(request) = self.stop_running(number) {
                self.end(&request, Reason::Abort, ended);
            }
        }
        for place in places {
            if let Some(request) = self.waiting.remove(place) {
                self.end(&request, Reason::Abort, ended);
            }
        }
        let left = self.running.values().chain(&self.waiting);
        let left = left.filter(|request| request.first_token.is_none());
        self.patience_ends = left.map(|request| request.ask.deadline).fold(f64::INFINITY, f64::min);
    }

    /// With nothing running, a request at the head that does not fit will never fit.
    fn refuse_what_never_fits(&mut self, ended: &mut Vec<Ended>) {
        if self.running.is_empty()
            && let Some(request) = self.waiting.pop_front()
        {
            self.end(&request, Reason::Error, ended);
        }
    }
}

/// The residue of the steps in which a sequence needs a new block: those in which its length is a
/// multiple of the block.
pub(super) fn residue(since: u64, length: u64) -> usize {
    ((since + BLOCK - length % BLOCK) % BLOCK) as usize
}
