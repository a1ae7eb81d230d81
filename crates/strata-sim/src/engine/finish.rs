//! The end of a step: tokens are there, requests go on or end.

use std::cmp::Reverse;

use super::kv::BLOCK;
use super::request::{Ended, Reason, Request};
use super::schedule::residue;
use super::{Engine, Step};

impl Engine {
    pub(super) fn finish(&mut self, step: Step, ended: &mut Vec<Ended>) {
        self.now = step.ends;
        self.count(&step);
        // All decoding sequences have one token more, in blocks they hold already.
        self.grown = false;
        self.step += 1;
        self.looked_back += self.decoding;
        self.stats.generation_tokens += step.decodes;
        self.activity.output_tokens += step.decodes;
        self.stats.gap(step.ends - step.began, step.decodes);
        self.end_decoded(ended);
        for (number, tokens) in step.pieces {
            let Some(request) = self.running.get_mut(&number) else { continue };
            request.computed += tokens;
            if request.computed == request.to_compute() {
                self.prefilling.retain(|other| *other != number);
                self.begin_decoding(number, ended);
            }
        }
        self.take_block_news();
    }

    /// What the step did to devices and counters.
    fn count(&mut self, step: &Step) {
        let cost = &step.cost;
        let prefill: u64 = step.pieces.iter().map(|(_, tokens)| tokens).sum();
        self.stats.step_tokens.observe((prefill + step.decodes) as f64);
        self.stats.flops += cost.flops;
        self.stats.read += cost.read;
        self.stats.written += cost.written;
        self.stats.cpu_seconds += cost.host_cpu;
        self.stats.throttled += cost.throttled;
        self.activity.busy += cost.total - cost.host;
        self.activity.compute += cost.flops / self.gpu.flops;
        self.activity.memory += (cost.read + cost.written) / self.gpu.memory_bandwidth;
        self.activity.link_bytes += cost.link_bytes;
        self.activity.cpu += cost.host_cpu;
        self.activity.prompt_tokens += prefill;
    }

    /// End the decoding requests that have sampled their last token.
    fn end_decoded(&mut self, ended: &mut Vec<Ended>) {
        while let Some(&Reverse((last, number))) = self.last_steps.peek() {
            if last >= self.step {
                return;
            }
            self.last_steps.pop();
            let Some(request) = self.stop_running(number) else { continue };
            self.end_well(&request, ended);
        }
    }

    /// The prompt is computed: the first token is sampled with it (after a preemption, the next).
    fn begin_decoding(&mut self, number: u64, ended: &mut Vec<Ended>) {
        let now = self.now;
        let Some(request) = self.running.get_mut(&number) else { return };
        match request.first_token {
            None => {
                request.first_token = Some(now);
                self.stats.ttft.observe(now - request.ask.arrival);
                self.stats.prompt_tokens += request.ask.prompt;
                self.stats.cached_tokens += request.hit;
            }
            Some(_) => self.stats.gap(now - request.last_token, 1),
        }
        self.stats.generation_tokens += 1;
        self.activity.output_tokens += 1;
        request.generated += 1;
        request.last_token = now;
        if request.generated >= request.ask.output() {
            if let Some(request) = self.stop_running(number) {
                self.end_well(&request, ended);
            }
            return;
        }
        request.decoding_since = Some(self.step);
        let left = request.ask.output() - request.generated;
        self.last_steps.push(Reverse((self.step + left - 1, number)));
        self.residues[residue(self.step, request.computed)] += 1;
        self.decoding += 1;
        self.looked_back += request.ask.shared_blocks() * BLOCK + request.computed;
    }

    fn end_well(&mut self, request: &Request, ended: &mut Vec<Ended>) {
        let cut = request.ask.natural > request.ask.max_tokens;
        let reason = if cut { Reason::Length } else { Reason::Stop };
        self.end(request, reason, ended);
    }

    pub(super) fn end(&mut self, request: &Request, reason: Reason, ended: &mut Vec<Ended>) {
        let one = Ended {
            ask: request.ask,
            reason,
            scheduled: request.scheduled,
            first_token: request.first_token,
            last_token: request.last_token,
            end: self.now,
            cached: request.hit,
            delivered: request.generated,
        };
        self.stats.end(request, &one);
        ended.push(one);
    }

    fn take_block_news(&mut self) {
        for eviction in self.kv.evictions.drain(..) {
            self.stats.block_lifetime.observe_many(eviction.lifetime, eviction.blocks);
            self.stats.block_idle.observe_many(eviction.idle, eviction.blocks);
        }
        for gap in self.kv.reuse_gaps.drain(..) {
            self.stats.block_gap.observe(gap);
        }
    }
}
