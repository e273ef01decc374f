// 特异性实验台的文字与说明。

export const words = {
  zh: {
    widget: "特异性实验台",
    title: "它在那里激活，而且只在那里激活吗？",
    judge: "评判者",
    legend: "分数",
    score: "{score} 分",
    shares: "各激活强度下的分数",
    sharesNote: "从每个区间抽取的激活中，各分数所占的比例；短线是 3 分的 95 % 区间。",
    chart: {
      label: "{n} 个激活区间中 3、2、1、0 分各占的比例，由 {judge} 评判。",
      column: "激活值 {low} 到 {high}：评判 {n} 个，其中 {share} 为 3 分",
      empty: "激活值 {low} 到 {high}：没有评判",
      range: "激活值",
      judged: "已评判",
      refused: "未能评判",
      active: "语料库中的数量",
      activations: "语料库中的激活",
      axis: "激活值（SAE 单位）",
    },
    curves: "特异吗，灵敏吗？",
    curvesNote: "按激活值的阈值；阈值为 0 时每个激活都算。",
    specific: "特异性：从此处起的激活中 3 分所占比例",
    recall: { spans: "灵敏度：找到的标注片段", "new texts": "灵敏度：找到的新文本" },
    of: "{share}（{low} 到 {high}）",
    curvesLabel: "{name}：阈值 0 时 {share}，最大值一半时 {half}",
    between: "；",
    threshold: "阈值",
    noRecall: "没有测量它找到了概念的多少：那需要有标注的语料库。",
    examples: "{low} 到 {high} 的激活",
    examplesNote: "从该区间随机抽取，最强的在前。被评判的词元有方框。",
    all: "全部 {n} 个",
    one: "{score} 分：{n} 个",
    none: "这个区间没有该分数的例子。",
    refusedSays: "没有分数",
    activation: "激活值",
    judges: "评判者",
    judgeColumns: ["评判者", "种类", "已评分", "未能评判", "与第一位的 kappa", "相同", "时间", "花费"],
    seconds: "{n} 秒",
    scores: "这一说法在文献中的各种分数",
    scoresNote: "每个分数都按其发表的定义，由所写的评判者给出。标记是随机猜测的结果。",
    scoreColumns: ["分数", "值", "95 % 区间", "随机水平", "回答数", "未能评判", "评判者"],
    table: "以表格显示所有比例",
    tableColumns: ["激活值", "语料库中的数量", "已评判", "3", "2", "1", "0"],
    shows:
      "这里看不出：这一说法是不是最恰当的；特征对模型做了什么；以及与语料库不同的文本的情况。" +
      "按标签评判的评判者只知道标注过的内容。",
    code: "相应的 Python 代码",
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-spec-chart",
      say:
        "每个柱是一个激活区间，弱的在左。深色：词元就是该概念本身。空白：文本中根本没有该概念。" +
        "下面是语料库中有多少个激活。选择一个柱可阅读例子。",
    },
    {
      at: ".saew-spec-curves",
      say: "如果只算达到某个阈值的激活：其中有多少是对的（特异性），该概念还能找到多少（灵敏度）？",
    },
    {
      at: ".saew-spec-list",
      say: "所选区间中被评判的激活。请读几个：你同意评判者吗？",
    },
    {
      at: ".saew-spec-judges",
      say: "谁作了评判，彼此超出偶然的一致程度（kappa），以及花费多少。",
    },
  ],
};
