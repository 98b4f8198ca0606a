//! What must hold in every world.

use super::world::{World, node};

impl World {
    /// While nothing has failed, the sound of a call leaves from one node at a time.
    pub(super) fn no_sound_leaves_twice(&self) -> Result<(), String> {
        let of = |number: usize| {
            let node = &self.nodes[number];
            node.sends.keys().filter_map(|call| node.agent.call_id_of(*call)).collect::<Vec<_>>()
        };
        let twice = of(0).into_iter().find(|call| of(1).contains(call));
        match twice {
            Some(call) if !self.has_failed => {
                Err(format!("at {} ms sound of {call} leaves from both", self.now))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Every call that its caller has not ended goes on, at the node that its caller takes it to be at and nowhere else.
    pub(super) fn every_call_is_at_one_node(&self) -> Result<(), String> {
        for far_end in &self.far_ends {
            let number = far_end.number;
            // A node that fails takes the calls along that it has taken over.
            let is_excused = far_end.target == node(1) && !self.nodes[1].is_alive;
            if far_end.is_ended_by_node {
                return Err(format!("the call of far end {number} was ended by a node"));
            }
            let at: Vec<usize> = (0..2)
                .filter(|number| self.nodes[*number].is_alive)
                .filter(|at| self.sends_to(*at, &far_end.call_id()))
                .collect();
            let expected: Vec<usize> =
                (0..2).filter(|at| far_end.is_up && node(*at) == far_end.target).collect();
            if at != expected && !is_excused {
                return Err(format!("far end {number} is at {expected:?}, and its call at {at:?}"));
            }
        }
        Ok(())
    }

    fn sends_to(&self, number: usize, call: &str) -> bool {
        let node = &self.nodes[number];
        node.sends.keys().any(|id| node.agent.call_id_of(*id).as_deref() == Some(call))
    }

    pub(super) fn nothing_is_left(&self) -> Result<(), String> {
        for (number, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.is_alive) {
            let (entries, sends, count) = (node.agent.entries(), node.sends.len(), node.agent.counted().0);
            if (entries, sends, count) != (0, 0, 0) {
                return Err(format!("node {number} has {entries} entries, {sends} legs, {count} calls left"));
            }
        }
        Ok(())
    }
}
