//! Networks. Virtual interfaces carry what a physical one carries again, so they are left out.

use super::node;
use crate::recipe::Recipe;

pub(crate) const ALL: &[Recipe] = &[
    node(
        "l3.network_receive",
        "By/s",
        "sum by (%) (rate<system.network.io|direction=\"receive\",\
         device!~\"(lo|veth|docker|br-|cni|cali|flannel|cilium|lxc|tap|virbr|bond|dummy).*\">)",
    )
    .means(
        "Bytes per second received by physical interfaces.",
        "rate of system.network.io (receive); the busiest host",
    ),
    node(
        "l3.network_transmit",
        "By/s",
        "sum by (%) (rate<system.network.io|direction=\"transmit\",\
         device!~\"(lo|veth|docker|br-|cni|cali|flannel|cilium|lxc|tap|virbr|bond|dummy).*\">)",
    )
    .means(
        "Bytes per second transmitted by physical interfaces.",
        "rate of system.network.io (transmit); the busiest host",
    ),
    node(
        "l3.network_saturation",
        "1",
        "max by (%) (max by (%, device) (rate<system.network.io>) \
         / (max by (%, device) (<hw.network.bandwidth.limit>) > 0))",
    )
    .undefined("no interface tells its speed")
    .means(
        "Traffic in the busier direction over the negotiated speed of the interface.",
        "max(receive, transmit) / speed; the fullest interface of the fullest host",
    ),
    node(
        "l3.tcp_retransmit_ratio",
        "1",
        "sum by (%) (rate<system.network.tcp.retransmits>) \
         / (sum by (%) (rate<system.network.tcp.segments|direction=~\"transmit|out|sent\">) > 0)",
    )
    .undefined("no TCP segment was sent in the rate window")
    .means(
        "TCP segments sent again over segments sent first (RFC 4022 tcpRetransSegs and \
         tcpOutSegs).",
        "rate(retransmitted) / rate(sent); the worst host",
    ),
    node("l3.network_drops", "{packet}/s", "sum by (%) (rate<system.network.packet.dropped>)")
        .means(
            "Packets dropped by interfaces per second.",
            "rate of system.network.packet.dropped; the worst host",
        ),
    node("l3.network_errors", "{error}/s", "sum by (%) (rate<system.network.errors>)")
        .means("Errors of interfaces per second.", "rate of system.network.errors; the worst host"),
    node(
        "l3.infiniband_receive",
        "By/s",
        "sum by (%) (rate<host.infiniband.io|direction=\"receive\">)",
    )
    .means(
        "Bytes per second received over InfiniBand or RoCE.",
        "rate of host.infiniband.io (receive); the busiest host",
    ),
    node(
        "l3.infiniband_transmit",
        "By/s",
        "sum by (%) (rate<host.infiniband.io|direction=\"transmit\">)",
    )
    .means(
        "Bytes per second transmitted over InfiniBand or RoCE.",
        "rate of host.infiniband.io (transmit); the busiest host",
    ),
    node("l3.infiniband_errors", "{error}", "sum by (%) (increase<host.infiniband.errors>)")
        .undefined("the counter has no two samples yet")
        .means(
            "Errors of InfiniBand ports in the last ten minutes.",
            "increase of host.infiniband.errors over 10 min; the worst host",
        ),
];
